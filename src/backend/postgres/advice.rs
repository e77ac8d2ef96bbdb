//! What to do about an error of a server or a connection: one sentence for whoever runs a node.

use tokio_postgres::error::SqlState;

use crate::backend::network_advice::{client_certificate_advice, network_advice};

const CREDENTIALS: &str = "the server knows no such user with this password: see both in the URL";
const TABLES: &str = "the tables are not there and this user may not create them: have one who may \
    apply what PostgresStoreBuilder::schema returns, with this prefix";
const RIGHTS: &str = "the user lacks a right: it needs SELECT, INSERT, UPDATE and DELETE on the \
    store's tables, and SELECT on the one of their version";

/// What is found in the text of an error, and what to do then; the first that is found counts.
const TEXTS: [(&str, &str); 13] = [
    (
        "no encryption",
        "the server's pg_hba.conf lets nobody in from here without TLS: write sslmode=require in the URL",
    ),
    (
        "no pg_hba.conf entry",
        "the server's pg_hba.conf lets this user not in from here",
    ),
    ("permission denied for schema", TABLES),
    ("permission denied for database", TABLES),
    ("no schema has been selected", TABLES),
    ("permission denied", RIGHTS),
    (
        "password missing",
        "the server wants a password: write postgres://USER:PASSWORD@ before the host",
    ),
    (
        "unsupported startup parameter",
        "a pooler takes no options: leave them out of the URL, or name them in its ignore_startup_parameters",
    ),
    (
        "server does not support TLS",
        "the server speaks no TLS: write sslmode=disable in the URL if the network is your own",
    ),
    (
        "UnknownIssuer",
        "this machine does not trust the authority of the server's certificate: give that to tls_authorities, or write \
         sslmode=disable in the URL if the network is your own",
    ),
    (
        "connection requires a valid client certificate",
        "the server wants a client certificate: give it tls_client_certificate",
    ),
    (
        "could not extend file",
        "the server's disk is full, or a quota",
    ),
    (
        "No such file or directory",
        "there is no socket of a server in this folder: see the host in the URL",
    ),
];

/// What to do, if anything is known to help.
pub(super) fn advice(code: Option<&SqlState>, said: &str) -> Option<&'static str> {
    let known = TEXTS.iter().find(|(text, _)| said.contains(text));
    known
        .map(|(_, advice)| *advice)
        .or_else(|| network_advice(said))
        .or_else(|| client_certificate_advice(said))
        .or_else(|| code.and_then(of_code))
}

fn of_code(code: &SqlState) -> Option<&'static str> {
    let is = |other: &[SqlState]| other.contains(code);
    Some(match () {
        () if is(&[SqlState::INVALID_PASSWORD]) => CREDENTIALS,
        () if is(&[SqlState::INVALID_AUTHORIZATION_SPECIFICATION]) => CREDENTIALS,
        // Servers say what they say in the language that they are set to.
        () if is(&[SqlState::INSUFFICIENT_PRIVILEGE]) => RIGHTS,
        () if is(&[SqlState::INVALID_CATALOG_NAME]) => {
            "the server has no such database: create it, or see its name in the URL"
        }
        () if is(&[SqlState::UNDEFINED_TABLE]) => {
            "a table of the store is missing: the next connection creates it, if the user may"
        }
        () if is(&[SqlState::TOO_MANY_CONNECTIONS]) => {
            "the server has as many connections as it takes: raise its max_connections, lower the connections of the stores, or put a pooler in between"
        }
        () if is(&[SqlState::READ_ONLY_SQL_TRANSACTION]) => {
            "the server takes no writes: it is a standby now, or its default_transaction_read_only is on"
        }
        () if is(&[SqlState::DISK_FULL]) => "the server's disk is full",
        () if is(&[SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED]) => {
            "somebody has held a lock on the store's tables for too long: pg_locks shows who"
        }
        () => return None,
    })
}
