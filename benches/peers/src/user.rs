use std::sync::Arc;

use tower_wx_session::Identity;

pub(crate) const APPID: &str = "wx0123456789abcdef";

/// What a service keeps of a user who is logged in, where it is up to the service.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) openid: String,
    #[allow(
        dead_code,
        reason = "kept like the openid, so that records are of the same size"
    )]
    appid: String,
}

impl User {
    pub(crate) fn new(number: usize) -> Arc<Self> {
        Arc::new(Self {
            openid: openid(number),
            appid: APPID.to_owned(),
        })
    }
}

/// 28 characters, as WeChat's.
pub(crate) fn openid(number: usize) -> String {
    format!("o{number:027}")
}

pub(crate) fn identity(number: usize) -> Identity {
    Identity::new(APPID, openid(number))
}
