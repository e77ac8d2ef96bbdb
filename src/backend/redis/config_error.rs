use std::error::Error;
use std::fmt;

/// A setting of a [`RedisStoreBuilder`](super::RedisStoreBuilder) is malformed. Its text repeats nothing of the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfigError {
    message: &'static str,
}

impl RedisConfigError {
    pub(crate) const fn new(message: &'static str) -> Self {
        Self { message }
    }
}

impl fmt::Display for RedisConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for RedisConfigError {}
