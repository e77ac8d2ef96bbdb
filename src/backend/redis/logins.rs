//! Logins: those that come while others are under way at the same server go together.
//!
//! Those of most users, without a cap and without a session to retire: none of them reads what another one
//! writes.

use std::sync::Arc;

use redis::Value;

use super::RedisStore;
use super::scripts::Call;
use super::servers::connection::Connection;
use super::servers::fault::refuses_several_keys;
use super::wire::answer::each_of;
use super::wire::keys::bucket_slot;
use crate::store::{Insert, StoreError};

impl RedisStore {
    /// What the script answers that keeps a new session; `None` if its keys are in two places, where nothing
    /// was done.
    pub(super) async fn add(&self, insert: &Insert) -> Result<Option<Value>, StoreError> {
        let bucket = insert.id.bucket();
        let call = || self.calls(bucket).insert(insert);
        let known = self.router.finder().known_connection(bucket_slot(bucket));
        if let Some(connection) = known.filter(|known| known.takes_logins_together()) {
            let (store, over) = (self.clone(), Arc::clone(&connection));
            // Boxed, as with loads.
            let add = move |calls| Box::pin(store.clone().add_all(Arc::clone(&over), calls));
            let added = connection.together().logins.ask(call(), add).await?;
            if added.is_some() {
                return Ok(added);
            }
        }
        self.router.run_unless_moving(&call()).await
    }

    /// An answer for each; `None` for one that was not done, and has to be done by itself.
    async fn add_all(
        self,
        over: Arc<Connection>,
        calls: Vec<Call>,
    ) -> Result<Vec<Option<Value>>, StoreError> {
        if let [call] = &*calls {
            return Ok(vec![self.router.run_unless_moving(call).await?]);
        }
        let sessions: Vec<_> = calls.iter().map(|call| call.key().to_owned()).collect();
        // It may have been lost, or have refused others, since these came to wait.
        let all = match over.takes_logins_together() {
            true => Call::of_all(calls),
            false => None,
        };
        let Some(call) = all else {
            return Ok(vec![None; sessions.len()]);
        };
        match self.router.run_over(&over, &call).await? {
            Ok(answers) => {
                let answers = each_of(answers, sessions.len())?;
                Ok(over.unless_elsewhere(&sessions, answers).await)
            }
            // Nothing of it was done. What speaks against it is met by each alone.
            Err(refused) => {
                if refuses_several_keys(&refused) {
                    over.together().refuse_logins();
                }
                Ok(vec![None; sessions.len()])
            }
        }
    }
}
