//! What lies behind an error, for the log.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The cause of an error, if it is known.
///
/// One failure is shared by all requests that waited for the same answer, so it is cheap to clone.
#[derive(Clone)]
pub(crate) struct Cause(Option<Arc<dyn Error + Send + Sync>>);

impl Cause {
    pub(crate) const UNKNOWN: Self = Self(None);

    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Some(Arc::from(error.into())))
    }

    /// As [`Error::source`] gives it.
    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|error| error as _)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
