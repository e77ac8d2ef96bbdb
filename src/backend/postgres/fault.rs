use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::advice::advice;
use super::server::Server;
use crate::store::StoreError;

/// The class of the codes of values that are out of range, or no values.
const DATA_EXCEPTION: &str = "22";

/// Why an operation failed, and what to do about it if that is known.
pub(super) fn failed(error: &Error) -> StoreError {
    StoreError::unavailable(explained(error))
}

/// The server answers, and refuses a write as it would any other.
fn unwritten(error: &Error) -> StoreError {
    StoreError::unwritten().caused_by(explained(error))
}

pub(super) fn connecting_failed(error: &Error, server: &Server) -> StoreError {
    StoreError::unavailable(format!("{server}: {}", explained(error)))
}

/// A server that would do it and cannot write.
pub(super) fn refused(error: &Error) -> StoreError {
    match refuses_writes(error) {
        true => unwritten(error),
        false => failed(error),
    }
}

/// Whether the server answers and cannot write.
fn refuses_writes(error: &Error) -> bool {
    let Some(error) = error.as_db_error() else {
        return false;
    };
    // A quota has no code of its own: what fails is the storage manager.
    let is_storage = || error.file() == Some("md.c");
    [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::DISK_FULL,
        SqlState::OUT_OF_MEMORY,
        SqlState::IO_ERROR,
    ]
    .contains(error.code())
        || (*error.code() == SqlState::INTERNAL_ERROR && is_storage())
}

/// Whether the statement alone has failed, and the connection is as good as before. One to a server
/// that has become a standby is not: the next one finds the new primary.
pub(super) fn leaves_connection(error: &Error) -> bool {
    let is_of_server = error.as_db_error().is_some();
    is_of_server && error.code() != Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// Whether what was prepared is of no use any more: the table has changed, or somebody has the server forget
/// what it has prepared.
pub(super) fn is_outdated(error: &Error) -> bool {
    [
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ]
    .iter()
    .any(|code| error.code() == Some(code))
}

/// Whether a table of the store is not there.
pub(super) fn is_missing_table(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_TABLE)
}

/// Whether a row holds what the server cannot reckon with: somebody has changed it by hand. Which row that is it
/// does not say.
pub(super) fn is_of_values(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| code.code().starts_with(DATA_EXCEPTION))
}

/// Whether there is a row of this name.
pub(super) fn is_taken(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

/// The advice, and what it is based on. Details and hints of a server are left out: they hold values.
fn explained(error: &Error) -> String {
    let said = said(error);
    match advice(error.code(), &said) {
        Some(advice) => format!("{advice} ({said})"),
        None => said,
    }
}

fn said(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{}: {}", error.code().code(), error.message());
    }
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
