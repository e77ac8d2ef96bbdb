use std::error::Error;
use std::{fmt, io};

/// A sync that failed. Linux takes what it could not write for written: whoever reads the file finds it there, the
/// next sync succeeds, and after a loss of power it is gone.
#[derive(Debug)]
pub(super) struct NotSynced(pub(super) io::Error);

impl NotSynced {
    /// Whether it is what lies behind an error.
    pub(super) fn is_behind(error: &(dyn Error + 'static)) -> bool {
        let error = error.downcast_ref::<io::Error>();
        error
            .and_then(io::Error::get_ref)
            .is_some_and(|error| error.is::<Self>())
    }
}

impl fmt::Display for NotSynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file could not be synced")
    }
}

impl Error for NotSynced {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
