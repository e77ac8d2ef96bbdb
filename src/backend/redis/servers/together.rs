//! Keys that are read together over one connection.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Pipeline, RedisError, RedisResult, Value};

use super::connection::Connection;
use crate::backend::batches::Batches;
use crate::store::StoreError;
use crate::token::SessionId;

/// What is under a key; `None` if it has to be asked for by itself.
pub(crate) type Read = Option<Result<Value, StoreError>>;

/// The reads of sessions over one connection that wait for each other.
#[derive(Default)]
pub(crate) struct Together {
    pub(crate) batches: Batches<SessionId, Read>,
    /// Relaxed: it goes from false to true once, and nothing else is published through it. Who still
    /// reads false has one more command refused.
    refuses_mget: AtomicBool,
}

impl Connection {
    /// Reads all that is under these keys, as one command if the server may have all of them.
    ///
    /// Nothing that this finds ends a session: a key that `MGET` calls empty may hold something else
    /// than text, or be another server's behind a proxy, and is asked for by itself.
    pub(crate) async fn read_together(&self, keys: &[String], may_be_one: bool) -> Vec<Read> {
        let read = match self.is_usable() {
            true => self.try_together(keys, may_be_one).await.ok(),
            false => None,
        };
        // A server that says something else than what it was asked is met by each alone.
        let read = read.filter(|read| read.len() == keys.len());
        read.unwrap_or_else(|| keys.iter().map(|_| None).collect())
    }

    async fn try_together(&self, keys: &[String], may_be_one: bool) -> RedisResult<Vec<Read>> {
        let refuses_mget = &self.together().refuses_mget;
        if may_be_one && !refuses_mget.load(Ordering::Relaxed) {
            match self.mget(keys).await {
                Err(error) if is_no_mget(&error) => refuses_mget.store(true, Ordering::Relaxed),
                read => return read,
            }
        }
        self.get_each(keys).await
    }

    async fn mget(&self, keys: &[String]) -> RedisResult<Vec<Read>> {
        let mut mget = redis::cmd("MGET");
        mget.arg(keys);
        let kept = |value| (value != Value::Nil).then_some(Ok(value));
        match self.query(&mget).await? {
            Value::Array(values) => Ok(values.into_iter().map(kept).collect()),
            _ => Ok(Vec::new()),
        }
    }

    async fn get_each(&self, keys: &[String]) -> RedisResult<Vec<Read>> {
        let mut gets = Pipeline::with_capacity(keys.len());
        gets.ignore_errors();
        for key in keys {
            gets.cmd("GET").arg(key);
        }
        let read = self.query_each(&gets).await?.into_iter();
        Ok(read.map(|read| read.ok().map(Ok)).collect())
    }
}

/// Whether the user may not run it, a proxy does not know it, or one address stands for several
/// servers, which have these keys.
fn is_no_mget(error: &RedisError) -> bool {
    matches!(error.code(), Some("CROSSSLOT" | "ERR" | "NOPERM"))
}
