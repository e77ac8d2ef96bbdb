use std::fmt;

use tokio::task::JoinError;

use crate::store::StoreError;

pub(super) type Outcome<T = ()> = Result<T, Violation>;

/// How a rule is broken.
pub(super) struct Violation(String);

impl Violation {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreError> for Violation {
    fn from(error: StoreError) -> Self {
        Self(format!("the store failed: {error}: {error:?}"))
    }
}

impl From<JoinError> for Violation {
    fn from(error: JoinError) -> Self {
        Self(format!("an operation did not end: {error}"))
    }
}

macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err($crate::test_util::conformance::violation::Violation::new(format!($($text)+)));
        }
    };
}

macro_rules! ensure_eq {
    ($is:expr, $expected:expr, $($text:tt)+) => {
        match (&$is, &$expected) {
            (is, expected) => $crate::test_util::conformance::violation::ensure!(
                is == expected,
                "{}: expected {expected:?}, got {is:?}",
                format_args!($($text)+)
            ),
        }
    };
}

pub(super) use {ensure, ensure_eq};
