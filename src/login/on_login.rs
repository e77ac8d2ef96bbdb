use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::cause::Cause;
use crate::identity::Identity;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{DataError, to_json};

/// What an application does with an identity before there is a session.
///
/// Implemented for functions and closures from `&Identity` to a future of
/// `Result<Data, Refusal>`; see [`Login::on_login`](super::Login::on_login).
pub trait OnLogin<'a>: Fn(&'a Identity) -> Self::Answer + Send + Sync {
    /// The future that the function returns.
    type Answer: Future<Output = Result<Self::Data, Refusal>> + Send + 'a;
    /// The application's data for the session.
    type Data: Serialize;
}

impl<'a, F, A, D> OnLogin<'a> for F
where
    F: Fn(&'a Identity) -> A + Send + Sync,
    A: Future<Output = Result<D, Refusal>> + Send + 'a,
    D: Serialize,
{
    type Answer = A;
    type Data = D;
}

/// Why an application lets nobody in, or not now.
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
    fn unwritable(error: DataError) -> Self {
        Self {
            kind: RejectionKind::ProviderMisconfigured,
            cause: Cause::new(error),
        }
    }

    /// The application cannot tell at the moment, such as without its database: 503, and the
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
            _ => "application cannot tell whether the user may log in",
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

type Decision<'a> = Pin<Box<dyn Future<Output = Result<Arc<str>, Refusal>> + Send + 'a>>;

/// [`OnLogin`] without its types.
pub(super) type Hook = dyn for<'a> Fn(&'a Identity) -> Decision<'a> + Send + Sync;

pub(super) fn hook<F>(on_login: F) -> Arc<Hook>
where
    F: for<'a> OnLogin<'a> + 'static,
{
    Arc::new(move |identity| {
        let answer = on_login(identity);
        Box::pin(async move { to_json(&answer.await?).map_err(Refusal::unwritable) })
    })
}
