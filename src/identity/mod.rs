use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::rest::Rest;

mod rest;

/// As long as WeChat's openids are. A longer one has a place of its own on the heap.
const USUAL: usize = 28;

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
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
// What a handler reads comes first.
#[repr(C)]
pub struct Identity {
    /// Empty if it is longer than usual.
    openid: ArrayString<USUAL>,
    rest: Arc<Rest>,
}

/// How an identity is written down.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Identity")]
struct Form {
    openid: Arc<str>,
    appid: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unionid: Option<Arc<str>>,
}

impl Identity {
    /// A user without a unionid.
    pub fn new(appid: impl Into<Arc<str>>, openid: impl Into<Arc<str>>) -> Self {
        Self::of(&appid.into(), &openid.into())
    }

    /// The same from borrowed names. Without an allocation where nothing is unusual.
    pub(crate) fn of(appid: &str, openid: &str) -> Self {
        let rest = Rest::of(appid);
        match ArrayString::from(openid) {
            Ok(openid) => Self { openid, rest },
            Err(_) => Self {
                openid: ArrayString::new(),
                rest: Arc::new(Rest {
                    appid: Arc::clone(&rest.appid),
                    long_openid: Some(openid.into()),
                    unionid: None,
                }),
            },
        }
    }

    /// Adds the unionid, which a provider gives for apps bound to an Open Platform account.
    #[must_use]
    pub fn with_unionid(self, unionid: impl Into<Arc<str>>) -> Self {
        let rest = Rest {
            appid: Arc::clone(&self.rest.appid),
            long_openid: self.rest.long_openid.clone(),
            unionid: Some(unionid.into()),
        };
        Self {
            rest: Arc::new(rest),
            ..self
        }
    }

    /// The mini program that the user logged in to.
    #[must_use]
    pub fn appid(&self) -> &str {
        &self.rest.appid
    }

    /// The user's name within that mini program.
    #[must_use]
    pub fn openid(&self) -> &str {
        match self.openid.as_str() {
            "" => self.rest.long_openid.as_deref().unwrap_or_default(),
            openid => openid,
        }
    }

    /// The user's name across the apps of one Open Platform account, where there is one.
    #[must_use]
    pub fn unionid(&self) -> Option<&str> {
        self.rest.unionid.as_deref()
    }

    /// The app as its platform knows it.
    #[cfg(feature = "crypto")]
    pub(crate) fn app(&self) -> &str {
        split_appid(self.appid()).1
    }

    /// The user's bucket: the first two bytes of SHA-256 over appid, 0, openid.
    ///
    /// Every token of the user carries it, so that a shared store can keep all that belongs to
    /// a user in one place (one slot of a Redis Cluster).
    #[must_use]
    pub fn bucket(&self) -> [u8; 2] {
        let digest = Sha256::new()
            .chain_update(self.appid().as_bytes())
            .chain_update([0])
            .chain_update(self.openid().as_bytes())
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
        self.openid() == other.openid() && self.appid() == other.appid()
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.openid().hash(state);
        self.appid().hash(state);
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("openid", &self.openid())
            .field("appid", &self.appid())
            .field("unionid", &self.unionid())
            .finish()
    }
}

impl From<Identity> for Form {
    fn from(identity: Identity) -> Self {
        Self {
            openid: identity.openid().into(),
            appid: Arc::clone(&identity.rest.appid),
            unionid: identity.rest.unionid.clone(),
        }
    }
}

impl From<Form> for Identity {
    fn from(form: Form) -> Self {
        let identity = Self::of(&form.appid, &form.openid);
        match form.unionid {
            Some(unionid) => identity.with_unionid(unionid),
            None => identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const APPID: &str = "wx4f4bc4dec97d474b";

    /// As long as fits, one more, and the extremes; characters of several bytes, too.
    fn openids() -> Vec<String> {
        let mut openids: Vec<_> = [0, 1, 27, 28, 29, 70_000].map(|len| "o".repeat(len)).into();
        openids.extend(["用".repeat(9), "用".repeat(10)]);
        openids
    }

    #[test]
    fn a_name_of_any_length_is_kept_whole() {
        for openid in openids() {
            let identity = Identity::new(APPID, openid.as_str());
            for identity in [identity.clone(), identity.with_unionid("union")] {
                assert_eq!(identity.openid(), openid);
                assert_eq!(identity.appid(), APPID);
            }
        }
    }

    #[test]
    fn its_form_is_three_names_of_which_the_last_may_be_missing() {
        let alice = Identity::new("app", "alice");
        let known = alice.clone().with_unionid("a");
        for (identity, form) in [
            (alice, r#"{"openid":"alice","appid":"app"}"#),
            (known, r#"{"openid":"alice","appid":"app","unionid":"a"}"#),
        ] {
            assert_eq!(serde_json::to_string(&identity).unwrap(), form);
            let read: Identity = serde_json::from_str(form).unwrap();
            // `==` ignores the unionid.
            assert_eq!(format!("{read:?}"), format!("{identity:?}"));
        }
    }

    #[test]
    fn it_shows_its_three_names() {
        let shown = format!("{:?}", Identity::new("app", "alice"));
        let expected = r#"Identity { openid: "alice", appid: "app", unionid: None }"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn users_differ_in_either_name_and_in_nothing_else() {
        let names = openids();
        let of = |app| {
            let user = move |openid: &String| Identity::new(app, openid.as_str());
            names.iter().map(user)
        };
        let users: HashSet<_> = of("one").chain(of("other")).collect();
        assert_eq!(users.len(), 2 * names.len());
        assert!(of("one").all(|user| users.contains(&user.with_unionid("union"))));
    }

    #[test]
    fn users_of_an_app_share_its_name() {
        let [one, other] = ["alice", "bob"].map(|openid| Identity::new("shared", openid));
        assert!(Arc::ptr_eq(&one.rest, &other.rest));
        assert!(Arc::ptr_eq(&one.rest, &one.clone().rest));
        assert_eq!(size_of::<Identity>(), 40);
    }
}
