use std::borrow::Cow;
use std::fmt;

use crate::token::{SessionId, Token};

/// What a client logs in with: a code, fresh from `wx.login`.
///
/// `Debug` does not show the code.
#[derive(Clone)]
pub struct Credentials {
    pub(super) code: String,
    pub(super) appid: Option<String>,
    pub(super) platform: Option<String>,
    /// The session of a token that came along.
    pub(super) presented: Option<SessionId>,
}

impl Credentials {
    /// A code, for the one app that the provider is configured for.
    pub fn new(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            appid: None,
            platform: None,
            presented: None,
        }
    }

    /// Names the app, where the provider has several.
    #[must_use]
    pub fn with_appid(self, appid: impl Into<String>) -> Self {
        Self {
            appid: Some(appid.into()),
            ..self
        }
    }

    /// Names the platform, where there are several: see [`Platforms`](super::Platforms).
    #[must_use]
    pub fn with_platform(self, platform: impl Into<String>) -> Self {
        Self {
            platform: Some(platform.into()),
            ..self
        }
    }

    /// Adds the token that the client still has. If it stands for a live session of the user who
    /// logs in, that session is retired after the grace of a rotation; otherwise it does not matter.
    #[must_use]
    pub fn presenting(self, token: &str) -> Self {
        Self {
            presented: Token::parse(token.as_bytes()).map(|token| token.id()),
            ..self
        }
    }

    /// The app by the name that a provider resolves; `platform:appid` is one.
    pub(super) fn app(&self) -> Option<Cow<'_, str>> {
        let appid = self.appid.as_deref();
        match (self.platform.as_deref(), appid) {
            (None, appid) => appid.map(Cow::Borrowed),
            (Some(platform), None) => Some(platform.into()),
            (Some(platform), Some(appid)) => Some(format!("{platform}:{appid}").into()),
        }
    }

    /// Whether there is nothing to log in with, nor a platform that it would be for.
    pub(super) const fn is_empty(&self) -> bool {
        self.code.is_empty() && self.platform.is_none()
    }

    /// Whether the code can be one, of up to so many bytes.
    pub(super) fn is_usable(&self, limit: usize) -> bool {
        !self.code.trim().is_empty() && self.code.len() <= limit
    }
}

impl From<String> for Credentials {
    fn from(code: String) -> Self {
        Self::new(code)
    }
}

impl From<&str> for Credentials {
    fn from(code: &str) -> Self {
        Self::new(code)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("platform", &self.platform)
            .field("appid", &self.appid)
            .field("presented", &self.presented)
            .finish_non_exhaustive()
    }
}
