use std::sync::Arc;

use tokio::task::JoinSet;

use super::Node;
use crate::store::{SessionStore, StoreError};

impl<S: SessionStore> Node<S> {
    /// Whether users can log in, for who asks before the first request: that finds the rest done, too. A part
    /// of the store that is down concerns its own users only; one that refuses writes concerns all, since a
    /// login's user is not known before its code is spent.
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<(), StoreError> {
        self.start();
        self.in_time(self.read_clock()).await?;
        let mut trials = JoinSet::new();
        for bucket in self.upstream.buckets_of_parts() {
            let node = Arc::clone(self);
            trials.spawn(async move { node.upstream.try_writing(bucket).await });
        }
        let (mut takes_writes, mut down) = (false, None);
        while let Some(tried) = trials.join_next().await {
            match tried.map_err(StoreError::unavailable)? {
                Ok(()) => takes_writes = true,
                Err(error) if error.is_unwritten() => return Err(error),
                Err(error) => down = Some(error),
            }
        }
        match down {
            Some(error) if !takes_writes => Err(error),
            _ => Ok(()),
        }
    }
}
