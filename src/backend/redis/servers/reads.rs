//! Keys that are read together over one connection.

use redis::{Pipeline, RedisResult, Value};

use super::connection::Connection;
use super::fault::is_of_one_key;
use super::together::Read;

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
        if may_be_one && self.together().takes_mget() {
            match self.mget(keys).await {
                Err(error) if is_of_one_key(&error) => self.together().refuse_mget(),
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
