//! Loads: those that come while others are under way at the same server go together.

use std::sync::Arc;

use redis::Value;

use super::RedisStore;
use super::servers::connection::Connection;
use super::servers::together::Read;
use super::wire::keys::bucket_slot;
use super::wire::reply::{bytes, unintelligible};
use crate::backend::stored::Stored;
use crate::backend::wire::record;
use crate::store::StoreError;
use crate::token::SessionId;

impl RedisStore {
    /// What is kept of a session.
    pub(super) async fn stored(&self, id: SessionId) -> Result<Option<Stored>, StoreError> {
        match self.read(id).await? {
            Value::Nil => Ok(None),
            kept => record::decode(bytes(&kept).ok_or_else(unintelligible)?).map(Some),
        }
    }

    /// By itself, or with others where enough reads are under way over the connection.
    ///
    /// What asks is boxed: most who wait for a batch ask nothing, and their futures are small without it.
    ///
    /// What speaks against a read in a batch, whether against all of it or against this one, is met
    /// where it is asked for by itself: there is one place that follows servers around.
    async fn read(&self, id: SessionId) -> Result<Value, StoreError> {
        let finder = self.router.finder();
        let Some(connection) = finder.known_connection(bucket_slot(id.bucket())) else {
            return Box::pin(self.read_alone(id)).await;
        };
        let (store, over) = (self.clone(), Arc::clone(&connection));
        let ask = move |ids| Box::pin(store.clone().read_all(Arc::clone(&over), ids));
        match connection.together().reads.ask(id, ask).await {
            Ok(Some(read)) => read,
            Ok(None) | Err(_) => Box::pin(self.read_alone(id)).await,
        }
    }

    async fn read_alone(&self, id: SessionId) -> Result<Value, StoreError> {
        let key = self.keys.session(id);
        let mut get = redis::cmd("GET");
        get.arg(&key);
        self.router.query(&key, &get).await
    }

    async fn read_all(
        self,
        over: Arc<Connection>,
        ids: Vec<SessionId>,
    ) -> Result<Vec<Read>, StoreError> {
        if let [id] = *ids {
            return Ok(vec![Some(self.read_alone(id).await)]);
        }
        let keys: Vec<_> = ids.iter().map(|id| self.keys.session(*id)).collect();
        // No server of a Cluster answers one command about keys of several slots.
        let may_be_one = !self.router.finder().settings.location.is_cluster();
        Ok(over.read_together(&keys, may_be_one).await)
    }
}
