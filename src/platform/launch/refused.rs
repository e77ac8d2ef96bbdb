use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::login::{ExchangeError, ExchangeErrorKind};

/// Why launch data logs in nobody. Nothing of the data is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::platform) enum Refused {
    Repeated,
    Missing(&'static str),
    NoNumber(&'static str),
    #[cfg(feature = "telegram")]
    LineBreak,
    Signature,
    TooOld(Duration),
    FromTheFuture,
    #[cfg(feature = "vk")]
    OtherApp,
    NoUser,
    UnknownApp,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated => f.write_str("launch data has a field twice"),
            Self::Missing(name) => write!(f, "launch data has no {name}"),
            Self::NoNumber(name) => write!(f, "{name} of the launch data is no number"),
            #[cfg(feature = "telegram")]
            Self::LineBreak => f.write_str("launch data has a field with a line break"),
            Self::Signature => {
                f.write_str("launch data is not signed by the platform for this app")
            }
            Self::TooOld(max) => write!(f, "launch data is older than {max:?}"),
            Self::FromTheFuture => f.write_str("launch data is from the future: see the clocks"),
            #[cfg(feature = "vk")]
            Self::OtherApp => f.write_str("launch data is of another app"),
            Self::NoUser => f.write_str("launch data has no user with an id"),
            Self::UnknownApp => f.write_str("no such app is configured"),
        }
    }
}

impl Error for Refused {}

/// Whatever a client can make up is a code that is no good. Nothing of it is a bad request, because those
/// are logged as faults one by one, and anybody can send rubbish.
impl From<Refused> for ExchangeError {
    fn from(refused: Refused) -> Self {
        let kind = match refused {
            Refused::UnknownApp => ExchangeErrorKind::BadRequest,
            // It is genuine, so our clock is wrong, and no user can log in.
            Refused::FromTheFuture => ExchangeErrorKind::Misconfigured,
            _ => ExchangeErrorKind::CodeRejected,
        };
        Self::new(kind).caused_by(refused)
    }
}
