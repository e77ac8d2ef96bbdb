use std::error::Error;
use std::fmt;
use std::future::Future;

use super::SessionKey;
use crate::cause::Cause;
use crate::identity::Identity;

/// Asks a platform whether a session_key is still good.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot check session_keys",
    note = "implement `SessionKeyCheck` for the platform that the users log in at"
)]
pub trait SessionKeyCheck: Send + Sync + 'static {
    /// Whether `key`, which the platform once gave for `user`, is still good there.
    ///
    /// Answer [`Over`](Validity::Over) only on the platform's word: it logs the user out. Whatever
    /// is wrong with the call itself, such as an access token, says nothing of the user.
    fn check_session_key(
        &self,
        user: &Identity,
        key: &SessionKey,
    ) -> impl Future<Output = Validity> + Send;
}

/// What a platform says of a session_key.
#[derive(Clone, Debug)]
pub enum Validity {
    /// It is good.
    Valid,
    /// It has expired, or a newer one has taken its place.
    Over,
    /// Nobody knows: the platform did not answer, or not about the key. Changes nothing.
    CannotTell(CheckError),
}

impl Validity {
    /// The platform cannot tell, and why, for the log. It must hold no secret.
    pub fn cannot_tell(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::CannotTell(CheckError(Cause::new(cause)))
    }
}

/// Why a platform could not tell whether a session_key is good.
///
/// Its text goes to the operator's log: one event when it begins, one when it is over.
#[derive(Clone, Debug)]
pub struct CheckError(Cause);

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the platform cannot tell whether a session_key is good")
    }
}

impl Error for CheckError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
