//! The one error of settings that do not work.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Why a setting was refused: which one, what was expected, and what it was set to.
///
/// A value that may hold a secret, such as a URL with a password, is neither in the text nor in
/// `Debug`; the text then says where in it the fault lies.
///
/// ```
/// use tower_wx_session::{Sessions, store::MemoryStore};
///
/// let error = Sessions::builder(MemoryStore::new()).sessions_per_user(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "sessions_per_user: expected more than zero, got 0");
/// // What a `main` that returns it prints.
/// assert_eq!(format!("{error:?}"), format!("ConfigError({error})"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static str,
    expected: Cow<'static, str>,
    value: Value,
}

#[derive(Clone, PartialEq, Eq)]
enum Value {
    Shown(String),
    #[cfg(any(
        feature = "_http-client",
        feature = "mysql",
        feature = "postgres",
        feature = "redis",
        feature = "telegram"
    ))]
    Hidden,
}

impl ConfigError {
    /// The value is shown as its `Debug` has it, so that a text is quoted and escaped.
    pub(crate) fn new(
        setting: &'static str,
        expected: impl Into<Cow<'static, str>>,
        value: &dyn fmt::Debug,
    ) -> Self {
        Self {
            setting,
            expected: expected.into(),
            value: Value::Shown(format!("{value:?}")),
        }
    }

    /// The value may hold a secret.
    #[cfg(any(
        feature = "_http-client",
        feature = "mysql",
        feature = "postgres",
        feature = "redis",
        feature = "telegram"
    ))]
    pub(crate) fn hidden(setting: &'static str, expected: impl Into<Cow<'static, str>>) -> Self {
        Self {
            setting,
            expected: expected.into(),
            value: Value::Hidden,
        }
    }

    /// A URL is shown unless there may be a password or a token in it.
    #[cfg(any(feature = "_http-client", feature = "redis"))]
    pub(crate) fn url(
        setting: &'static str,
        expected: impl Into<Cow<'static, str>>,
        url: &str,
    ) -> Self {
        match holds_no_secret(url) {
            true => Self::new(setting, expected, &url),
            false => Self::hidden(setting, expected),
        }
    }
}

/// A password stands behind a colon, or before an `@` where somebody forgot the colon; a token
/// stands in a query or a fragment. What has no scheme may be anything.
#[cfg(any(feature = "_http-client", feature = "redis"))]
fn holds_no_secret(url: &str) -> bool {
    let parts = url.split_once("://");
    parts.is_some_and(|(scheme, rest)| ![scheme, rest].concat().contains([':', '@', '?', '#']))
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got ", self.setting, self.expected)?;
        match &self.value {
            Value::Shown(value) => f.write_str(value),
            #[cfg(any(
                feature = "_http-client",
                feature = "mysql",
                feature = "postgres",
                feature = "redis",
                feature = "telegram"
            ))]
            Value::Hidden => f.write_str("a value that is not shown, as it may hold credentials"),
        }
    }
}

/// What it says: a `main` that returns it prints this.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigError")
            .field(&format_args!("{self}"))
            .finish()
    }
}

impl Error for ConfigError {}
