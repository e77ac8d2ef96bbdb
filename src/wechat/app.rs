use std::fmt;
use std::sync::Arc;

/// One mini program and its secret.
#[derive(Clone)]
pub(super) struct App {
    pub(super) appid: Arc<str>,
    pub(super) secret: Arc<str>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("appid", &self.appid)
            .finish_non_exhaustive()
    }
}
