//! Keys that are read together over one connection.

use redis::{Pipeline, RedisResult, Value};

use super::connection::Connection;
use super::fault::refuses_several_keys;
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

    /// The answers to logins that went together, but `None` to those whose sessions are not where each is looked
    /// for by itself.
    ///
    /// A proxy may say that it is alone, and bring a script to the server of its first key, which keeps the
    /// others' sessions, too, until they expire. So the first ones that come together over a connection are
    /// looked for.
    pub(crate) async fn unless_elsewhere(
        &self,
        sessions: &[String],
        answers: Vec<Option<Value>>,
    ) -> Vec<Option<Value>> {
        if self.together().has_proved_itself() {
            return answers;
        }
        let read = self.read_together(sessions, false).await;
        let is_elsewhere = |(answer, read): (&Option<Value>, &Read)| {
            answer.is_some() && matches!(read, Some(Ok(Value::Nil)))
        };
        let elsewhere: Vec<_> = answers.iter().zip(&read).map(is_elsewhere).collect();
        match elsewhere.contains(&true) {
            true => self.together().refuse_logins(),
            false => self.together().note_found(answers.iter().flatten().count()),
        }
        let found = answers.into_iter().zip(elsewhere);
        found
            .map(|(answer, is_elsewhere)| answer.filter(|_| !is_elsewhere))
            .collect()
    }

    async fn try_together(&self, keys: &[String], may_be_one: bool) -> RedisResult<Vec<Read>> {
        if may_be_one && self.together().takes_mget() {
            match self.mget(keys).await {
                Err(error) if refuses_several_keys(&error) => self.together().refuse_mget(),
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
