use std::error::Error;
use std::fmt;

use crate::cause::Cause;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::DataError;

/// Why an application refuses a login.
#[derive(Clone, Debug)]
pub struct Refusal {
    kind: RejectionKind,
    cause: Cause,
}

impl Refusal {
    /// This user may not log in: 403 `user_blocked`, and the client shows an error.
    #[must_use]
    pub const fn blocked() -> Self {
        Self {
            kind: RejectionKind::UserBlocked,
            cause: Cause::UNKNOWN,
        }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.kind == RejectionKind::UserBlocked
    }

    /// The application's data is at fault, so that trying again does not help.
    pub(super) fn unwritable(error: DataError) -> Self {
        Self {
            kind: RejectionKind::ProviderMisconfigured,
            cause: Cause::new(error),
        }
    }

    /// The application is unavailable at the moment, such as without its database: 503, and the
    /// client tries again. The cause goes to the log and must hold no secret.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: RejectionKind::ProviderUnavailable,
            cause: Cause::new(cause),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RejectionKind::UserBlocked => "user blocked by the application",
            RejectionKind::ProviderMisconfigured => "data of the session not writable as JSON",
            _ => "application could not decide whether the user may log in",
        })
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::from(refusal.kind).caused_by(refusal)
    }
}
