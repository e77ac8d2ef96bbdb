use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The application's data could not be written as JSON, or is not of the type asked for.
///
/// Its text names the place, never the data.
#[derive(Clone, Debug)]
pub struct DataError {
    category: serde_json::error::Category,
    line: usize,
    column: usize,
}

impl DataError {
    /// Keeps the place only: serde's own text may quote the data.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    fn new(error: serde_json::Error) -> Self {
        Self {
            category: error.classify(),
            line: error.line(),
            column: error.column(),
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            category,
            line,
            column,
        } = self;
        write!(
            f,
            "session data is not of the expected type ({category:?} at line {line} column {column})"
        )
    }
}

impl Error for DataError {}

pub(crate) fn to_json<T: Serialize>(data: &T) -> Result<Arc<str>, DataError> {
    let text = serde_json::to_string(data).map_err(DataError::new)?;
    Ok(text.into())
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, DataError> {
    serde_json::from_str(text).map_err(DataError::new)
}
