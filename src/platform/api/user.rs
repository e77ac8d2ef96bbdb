use std::sync::Arc;

use super::failure::Failure;
use super::fields::Fields;
use crate::identity::Identity;
use crate::login::Exchanged;
use crate::session_key::SessionKey;

/// What a platform says of a good code.
#[derive(Debug)]
pub(crate) struct User {
    openid: String,
    unionid: Option<String>,
    session_key: Option<SessionKey>,
}

impl User {
    pub(crate) fn new(openid: impl Into<String>) -> Self {
        Self {
            openid: openid.into(),
            unionid: None,
            session_key: None,
        }
    }

    /// Reads a user whose names stand in these members, beside a `session_key`. The openid has to be
    /// there.
    pub(crate) fn read(fields: &Fields, openid: &str, unionid: &str) -> Result<Self, Failure> {
        Ok(Self::new(fields.require(openid)?)
            .with_unionid(fields.text(unionid))
            .with_session_key(fields.text("session_key")))
    }

    pub(crate) fn with_unionid(self, unionid: Option<&str>) -> Self {
        Self {
            unionid: unionid.map(str::to_owned),
            ..self
        }
    }

    pub(crate) fn with_session_key(self, key: Option<&str>) -> Self {
        Self {
            session_key: key.map(SessionKey::new),
            ..self
        }
    }

    /// The user of this app.
    pub(crate) fn of_app(self, appid: Arc<str>) -> Exchanged {
        let mut identity = Identity::new(appid, self.openid);
        if let Some(unionid) = self.unionid {
            identity = identity.with_unionid(unionid);
        }
        let exchanged = Exchanged::new(identity);
        match self.session_key {
            Some(key) => exchanged.with_session_key(key),
            None => exchanged,
        }
    }
}
