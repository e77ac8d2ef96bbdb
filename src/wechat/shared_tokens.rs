use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use crate::config_error::ConfigError;
use crate::node::Node;
use crate::platform::api::Granted;
use crate::sessions::Sessions;
use crate::store::SessionStore;

/// The access tokens that nodes share through a store; none without one.
#[derive(Clone, Default)]
pub(super) struct SharedTokens(Option<Arc<dyn TokenStore>>);

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node, whatever its store.
trait TokenStore: Send + Sync {
    fn get<'a>(&'a self, appid: &'a str) -> Pending<'a, Option<Granted>>;
    fn put<'a>(&'a self, appid: &'a str, granted: &'a Granted) -> Pending<'a, ()>;
}

impl SharedTokens {
    pub(super) fn of<S: SessionStore>(sessions: &Sessions<S>) -> Result<Self, ConfigError> {
        let node = sessions.node();
        if !node.keeps_access_tokens() {
            let needed = "a seal_key, because other processes can read the store";
            return Err(ConfigError::new("sharing_access_tokens", needed, &"none"));
        }
        Ok(Self(Some(Arc::new(Arc::downgrade(node)))))
    }

    /// What the store has, if it can tell.
    pub(super) async fn get(&self, appid: &str) -> Option<Granted> {
        self.0.as_ref()?.get(appid).await
    }

    pub(super) async fn put(&self, appid: &str, granted: &Granted) {
        if let Some(store) = &self.0 {
            store.put(appid, granted).await;
        }
    }
}

/// It keeps no node: the node may keep a `WeChat` that has this.
impl<S: SessionStore> TokenStore for Weak<Node<S>> {
    fn get<'a>(&'a self, appid: &'a str) -> Pending<'a, Option<Granted>> {
        Box::pin(async move {
            let (token, lifetime) = self.upgrade()?.access_token(appid).await.ok()??;
            Some(Granted { token, lifetime })
        })
    }

    fn put<'a>(&'a self, appid: &'a str, granted: &'a Granted) -> Pending<'a, ()> {
        Box::pin(async move {
            if let Some(node) = self.upgrade() {
                // Without it the other nodes ask WeChat, which gives them the same.
                let put = node.put_access_token(appid, &granted.token, granted.lifetime);
                put.await.ok();
            }
        })
    }
}
