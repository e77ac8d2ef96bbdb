use redis::Value;

use super::reply::{bytes, time_of, unintelligible};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Who a server is, and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greeting {
    pub(crate) is_master: bool,
    pub(crate) now: Timestamp,
}

impl Greeting {
    /// Reads the answers to HELLO and TIME.
    pub(crate) fn read(answers: &[Value]) -> Result<Self, StoreError> {
        let (Some(hello), Some(time)) = (answers.first(), answers.get(1)) else {
            return Err(unintelligible());
        };
        let role = hello
            .as_map_iter()
            .into_iter()
            .flatten()
            .find(|(name, _)| bytes(name) == Some(b"role"))
            .and_then(|(_, role)| bytes(role))
            .ok_or_else(unintelligible)?;
        Ok(Self {
            is_master: role == b"master",
            now: time_of(time)?,
        })
    }

    pub(crate) fn expect_master(self) -> Result<Self, StoreError> {
        if self.is_master {
            Ok(self)
        } else {
            Err(StoreError::unavailable("the server is not a master"))
        }
    }
}
