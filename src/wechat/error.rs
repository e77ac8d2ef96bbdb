use std::error::Error;
use std::fmt;

/// Why a setting of [`WeChat`](super::WeChat) was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problem: &'static str,
}

impl ConfigError {
    pub(super) const fn new(problem: &'static str) -> Self {
        Self { problem }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)
    }
}

impl Error for ConfigError {}
