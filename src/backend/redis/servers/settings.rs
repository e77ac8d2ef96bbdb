use redis::{ProtocolVersion, RedisConnectionInfo};

use super::location::{Credentials, Location};
use super::tls::Tls;
use crate::backend::redis::wire::keys::Keys;

/// How servers are reached, and what is ours there.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) location: Location,
    pub(crate) sentinel: Credentials,
    pub(crate) tls: Option<Tls>,
    pub(crate) keys: Keys,
}

impl Settings {
    /// How we introduce ourselves to a server that holds data.
    pub(super) fn introduction(&self) -> RedisConnectionInfo {
        let info = with_credentials(&self.location.credentials);
        info.set_db(i64::from(self.location.database))
            .set_protocol(ProtocolVersion::RESP3)
    }

    /// How we introduce ourselves to a Sentinel.
    pub(super) fn introduction_to_sentinel(&self) -> RedisConnectionInfo {
        with_credentials(&self.sentinel)
    }
}

fn with_credentials(credentials: &Credentials) -> RedisConnectionInfo {
    // The name of the client library is not worth a right of its own to whoever may do little.
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(user) = &credentials.user {
        info = info.set_username(user);
    }
    if let Some(password) = &credentials.password {
        info = info.set_password(password);
    }
    info
}
