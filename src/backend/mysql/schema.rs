//! The tables, and how they come to be.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use sha2::{Digest, Sha256};

use super::fault::{Failure, NO_SUCH_TABLE};
use super::row::column;
use crate::hex;

/// Counts up with each change of the tables. The release before one that counts up can use them as they are
/// then, so that a fleet is updated node by node.
const VERSION: i64 = 1;
/// How long a process waits for another one that makes the tables.
const LOCKED_WITHIN: u8 = 1;

/// The statements that make the tables of a prefix. Doing them again changes nothing.
pub(super) fn tables(prefix: &str) -> [String; 6] {
    [
        format!(
            "CREATE TABLE IF NOT EXISTS `{prefix}_sessions` (\n  \
             `id` VARBINARY(18) NOT NULL,\n  \
             `user` VARBINARY(22) NULL,\n  \
             `appid` BLOB NULL,\n  \
             `openid` BLOB NULL,\n  \
             `unionid` BLOB NULL,\n  \
             `issued_at` BIGINT NOT NULL,\n  \
             `absolute_end` BIGINT NOT NULL,\n  \
             `idle_timeout` BIGINT NOT NULL,\n  \
             `idle_deadline` BIGINT NOT NULL,\n  \
             `last_used` BIGINT NULL,\n  \
             `retires_at` BIGINT NULL,\n  \
             `successor` VARBINARY(18) NULL,\n  \
             `data` MEDIUMBLOB NULL,\n  \
             `reason` VARBINARY(32) NULL,\n  \
             `revoked_at` BIGINT NULL,\n  \
             `sweep_at` BIGINT NOT NULL,\n  \
             PRIMARY KEY (`id`),\n  \
             KEY `user` (`user`),\n  \
             KEY `sweep_at` (`sweep_at`)\n\
             ) ENGINE = InnoDB"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS `{prefix}_users` (\n  \
             `user` VARBINARY(22) NOT NULL,\n  \
             `session_keys` MEDIUMBLOB NULL,\n  \
             `until` BIGINT NOT NULL,\n  \
             PRIMARY KEY (`user`),\n  \
             KEY `until` (`until`)\n\
             ) ENGINE = InnoDB"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS `{prefix}_changes` (\n  \
             `id` BIGINT NOT NULL AUTO_INCREMENT,\n  \
             `at` BIGINT NOT NULL,\n  \
             `sessions` MEDIUMBLOB NOT NULL,\n  \
             PRIMARY KEY (`id`),\n  \
             KEY `at` (`at`)\n\
             ) ENGINE = InnoDB"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS `{prefix}_tag_keys` (\n  \
             `tag_key` VARBINARY(64) NOT NULL,\n  \
             PRIMARY KEY (`tag_key`)\n\
             ) ENGINE = InnoDB"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS `{prefix}_version` (\n  \
             `version` BIGINT NOT NULL,\n  \
             PRIMARY KEY (`version`)\n\
             ) ENGINE = InnoDB"
        ),
        // Last: who finds it finds the tables.
        format!("INSERT IGNORE INTO `{prefix}_version` (`version`) VALUES ({VERSION})"),
    ]
}

/// Makes the tables unless they are there. One process at a time does it.
pub(super) async fn prepare(
    connection: &mut Conn,
    prefix: &str,
    database: &str,
) -> Result<(), Failure> {
    if version(connection, prefix).await? >= Some(VERSION) {
        return Ok(());
    }
    let lock = lock_name("tables", prefix, database);
    take_lock(connection, &lock, LOCKED_WITHIN).await?;
    // Whoever did not get the lock in time makes them all the same: each statement is safe by itself.
    make(connection, prefix).await?;
    let release = connection.exec_drop("DO RELEASE_LOCK(?)", (&lock,)).await;
    unless_refused(release, ()).map_err(Failure::from)
}

/// Takes a lock of the server, for as long as the connection lives; `false` if another connection has it. Where
/// the server has no such locks everybody goes on without.
pub(super) async fn take_lock(
    connection: &mut Conn,
    name: &str,
    seconds: u8,
) -> Result<bool, Failure> {
    let asked = "SELECT GET_LOCK(?, ?)";
    let taken = connection
        .exec_first::<Row, _, _>(asked, (name, seconds))
        .await;
    match unless_refused(taken, None)? {
        Some(row) => Ok(column::<Option<i64>>(&row, 0)? == Some(1)),
        None => Ok(true),
    }
}

/// What was answered, or this if the server does not know what it was asked for.
fn unless_refused<T>(answer: Result<T, Error>, otherwise: T) -> Result<T, Error> {
    match answer {
        Err(Error::Server(_)) => Ok(otherwise),
        answer => answer,
    }
}

async fn make(connection: &mut Conn, prefix: &str) -> Result<(), Failure> {
    if version(connection, prefix).await? >= Some(VERSION) {
        return Ok(());
    }
    for statement in tables(prefix) {
        connection.query_drop(statement).await?;
    }
    Ok(())
}

/// The version of the tables, if they are all there.
async fn version(connection: &mut Conn, prefix: &str) -> Result<Option<i64>, Failure> {
    let others = ["sessions", "users", "changes", "tag_keys"];
    let others = others.map(|name| format!("EXISTS (SELECT 1 FROM `{prefix}_{name}` WHERE 1 = 0)"));
    let select = format!(
        "SELECT (SELECT COALESCE(MAX(`version`), 0) FROM `{prefix}_version`), {}",
        others.join(", ")
    );
    let found = connection.query_first::<Row, _>(select).await;
    let found = found.map_err(Failure::from);
    match found {
        Ok(Some(row)) => column(&row, 0).map(Some),
        Ok(None) => Ok(None),
        Err(failure) if failure.code() == Some(NO_SUCH_TABLE) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Names of locks are common to all databases of a server, and 64 characters long at most.
pub(super) fn lock_name(what: &str, prefix: &str, database: &str) -> String {
    let digest = Sha256::digest(format!("{database}\0{prefix}\0{what}"));
    format!("tower-wx-session:{}", hex::encode(&digest[..16]))
}
