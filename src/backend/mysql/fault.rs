//! An error of the server or a connection, and what it means for the operation that met it.

use std::error::Error;
use std::fmt;

use mysql_async::Error as ClientError;

use super::advice::advice;
use crate::store::StoreError;

/// Why an operation failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server or the connection.
    Client(ClientError),
    /// The answer to a COMMIT is lost: the operation has happened or not.
    Unknown(ClientError),
    /// What the server has sent cannot be what was asked for, or a record is damaged.
    Store(StoreError),
}

/// What helps.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing was done: again, as others got in between.
    Again,
    /// Nothing was done: again on another connection, if this one was not new.
    Reconnect,
    /// Nothing: the next operation may be luckier.
    None,
}

impl Remedy {
    /// Whether to try again, after a connection that was new for the operation or not.
    pub(super) fn helps(&self, was_new: bool) -> bool {
        match self {
            Self::Again => true,
            Self::Reconnect => !was_new,
            Self::None => false,
        }
    }
}

impl Failure {
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Client(ClientError::Server(error)) => match error.code {
                DEADLOCK | LOCK_WAIT_TIMEOUT => Remedy::Again,
                _ => Remedy::None,
            },
            Self::Client(_) => Remedy::Reconnect,
            Self::Unknown(_) | Self::Store(_) => Remedy::None,
        }
    }

    /// The number of the server's error.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Client(ClientError::Server(error)) => Some(error.code),
            _ => None,
        }
    }

    /// Whether the server answers, and takes no writes: it is a replica by now, or its disk is full.
    pub(super) fn is_refused_write(&self) -> bool {
        match self {
            Self::Client(ClientError::Server(error)) => match error.code {
                // Some other options are refused by the same number.
                OPTION_PREVENTS => error.message.contains("read-only"),
                READ_ONLY_TRANSACTION | READ_ONLY_MODE | DISK_FULL | TABLE_FULL => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether it would be the same for each operation on this server, until that changes or another one
    /// has its name.
    pub(super) fn is_about_server(&self) -> bool {
        self.is_refused_write() || self.code() == Some(NO_SUCH_TABLE)
    }

    /// Whether the connection is of no use any more.
    pub(super) fn breaks_connection(&self) -> bool {
        match self {
            Self::Client(error) => error.is_fatal(),
            Self::Unknown(_) => true,
            Self::Store(_) => false,
        }
    }

    /// The store is unavailable at this address, with what to do about it if that is known.
    pub(super) fn at(self, address: &str) -> StoreError {
        match self {
            Self::Client(error) | Self::Unknown(error) => {
                StoreError::unavailable(Fault::new(address, error))
            }
            Self::Store(error) => error,
        }
    }

    /// The store would take this write, and cannot.
    pub(super) fn unwritten(self, address: &str) -> StoreError {
        match self {
            Self::Client(error) | Self::Unknown(error) => {
                StoreError::unwritten().caused_by(Fault::new(address, error))
            }
            Self::Store(error) => error,
        }
    }
}

const OPTION_PREVENTS: u16 = 1290;
const READ_ONLY_TRANSACTION: u16 = 1792;
const READ_ONLY_MODE: u16 = 1836;
const DISK_FULL: u16 = 1021;
const TABLE_FULL: u16 = 1114;
const LOCK_WAIT_TIMEOUT: u16 = 1205;
const DEADLOCK: u16 = 1213;
const OUT_OF_RANGE: u16 = 1690;
const LOCKED: u16 = 3572;
/// A name is taken.
pub(super) const DUPLICATE: u16 = 1062;
/// A table is not there.
pub(super) const NO_SUCH_TABLE: u16 = 1146;

/// Whether one row is why nothing was written: it has values that the server cannot reckon with, or it is locked, for
/// which MySQL has a number and MariaDB has not.
pub(super) const fn is_about_row(code: u16) -> bool {
    matches!(code, OUT_OF_RANGE | LOCKED | LOCK_WAIT_TIMEOUT)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// An error, where it came up, and what to do about it.
#[derive(Debug)]
struct Fault {
    address: String,
    advice: Option<&'static str>,
    error: ClientError,
}

impl Fault {
    fn new(address: &str, error: ClientError) -> Self {
        Self {
            address: address.to_owned(),
            advice: advice(&error),
            error,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.advice {
            Some(advice) => write!(f, "{}: {advice}", self.address),
            None => write!(f, "at {}", self.address),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Each layer of the client's error says again what is below it.
        let mut innermost: &(dyn Error + 'static) = &self.error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Some(innermost)
    }
}
