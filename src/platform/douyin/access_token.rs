use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::platform::api::Failure;

type Cause = Box<dyn Error + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = Result<String, Cause>> + Send>>;

/// Where the application keeps the access token of an app.
#[derive(Clone)]
pub(super) struct AccessToken(Arc<dyn Fn(Arc<str>) -> Answer + Send + Sync>);

impl AccessToken {
    pub(super) fn new<F, A, E>(function: F) -> Self
    where
        F: Fn(Arc<str>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Cause>,
    {
        Self(Arc::new(move |appid| {
            let answer = function(appid);
            Box::pin(async move { answer.await.map_err(Into::into) })
        }))
    }

    pub(super) async fn of(&self, appid: &Arc<str>) -> Result<String, Failure> {
        let token = (self.0)(Arc::clone(appid)).await;
        token.map_err(|error| Failure::Transport(format!("no access token: {error}")))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}
