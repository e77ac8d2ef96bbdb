use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Who logged in: a user of one mini program.
///
/// An `openid` names a user within one app only, so both parts together make a user: two
/// identities are equal if these are, whatever their `unionid`. Cloning is cheap.
///
/// ```
/// use tower_wx_session::Identity;
///
/// let identity = Identity::new("wx4f4bc4dec97d474b", "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
/// assert_eq!(identity.appid(), "wx4f4bc4dec97d474b");
/// assert_eq!(identity.unionid(), None);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
// What a handler reads comes first.
#[repr(C)]
pub struct Identity {
    openid: Arc<str>,
    appid: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unionid: Option<Arc<str>>,
}

impl Identity {
    /// A user without a unionid.
    pub fn new(appid: impl Into<Arc<str>>, openid: impl Into<Arc<str>>) -> Self {
        Self {
            appid: appid.into(),
            openid: openid.into(),
            unionid: None,
        }
    }

    /// Adds the unionid, which a provider gives for apps bound to an Open Platform account.
    #[must_use]
    pub fn with_unionid(self, unionid: impl Into<Arc<str>>) -> Self {
        Self {
            unionid: Some(unionid.into()),
            ..self
        }
    }

    /// The mini program that the user logged in to.
    #[must_use]
    pub fn appid(&self) -> &str {
        &self.appid
    }

    /// The user's name within that mini program.
    #[must_use]
    pub fn openid(&self) -> &str {
        &self.openid
    }

    /// The user's name across the apps of one Open Platform account, where there is one.
    #[must_use]
    pub fn unionid(&self) -> Option<&str> {
        self.unionid.as_deref()
    }

    /// The app as its platform knows it.
    #[cfg(feature = "crypto")]
    pub(crate) fn app(&self) -> &str {
        split_appid(&self.appid).1
    }

    /// The user's bucket: the first two bytes of SHA-256 over appid, 0, openid.
    ///
    /// Every token of the user carries it, so that a shared store can keep all that belongs to
    /// a user in one place (one slot of a Redis Cluster).
    #[must_use]
    pub fn bucket(&self) -> [u8; 2] {
        let digest = Sha256::new()
            .chain_update(self.appid.as_bytes())
            .chain_update([0])
            .chain_update(self.openid.as_bytes())
            .finalize();
        [digest[0], digest[1]]
    }
}

/// The platform that `login::Platforms` has put before an app, and the app.
pub(crate) fn split_appid(appid: &str) -> (Option<&str>, &str) {
    match appid.split_once(':') {
        Some((platform, app)) => (Some(platform), app),
        None => (None, appid),
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.openid == other.openid && self.appid == other.appid
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.openid.hash(state);
        self.appid.hash(state);
    }
}
