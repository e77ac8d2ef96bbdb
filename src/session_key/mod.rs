use std::fmt;
use std::sync::Arc;

mod check;
#[cfg(any(feature = "crypto", feature = "douyin", feature = "wechat"))]
mod sign;

pub(crate) use self::check::AnyCheck;
pub use self::check::{CheckError, SessionKeyCheck, Validity};

/// The platform's key for one login of a user, as received (base64 text at WeChat).
///
/// It signs and decrypts what the client's platform sends along, and **never leaves the server**:
/// whoever holds it can forge a user's data. Its `Debug` is redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(Arc<str>);

impl SessionKey {
    /// Wraps the key as the platform sent it.
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(key.into())
    }

    /// The key itself: the only way out. Never log it, never send it to a client.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}
