//! What to do about an error of the server or the connection: one sentence for whoever runs a node.

use mysql_async::{DriverError, Error};

use crate::backend::network_advice::network_advice;

/// By the server's number of the error.
const CODES: [(u16, &str); 21] = [
    (1021, FULL),
    (1114, FULL),
    (
        1040,
        "the server has as many connections as it takes: raise `max_connections`, or have each node take fewer with `connections`",
    ),
    (1203, USER_CONNECTIONS),
    (1226, USER_CONNECTIONS),
    (
        1044,
        "the user may not use this database: see Rights in the documentation of MySqlStore",
    ),
    (1045, CREDENTIALS),
    (1698, CREDENTIALS),
    (
        1049,
        "the server has no such database: create it, or name another one in the URL",
    ),
    (
        1129,
        "the server has blocked this machine after failed connections: FLUSH HOSTS there",
    ),
    (
        1130,
        "the server does not let this machine in: the account has to be for its address",
    ),
    (1142, RIGHTS),
    (1143, RIGHTS),
    (1227, RIGHTS),
    (1370, RIGHTS),
    (
        1146,
        "a table of this store is gone: it is made again by the next operation, or apply what MySqlStoreBuilder::schema says",
    ),
    (1290, READ_ONLY),
    (1792, READ_ONLY),
    (1836, READ_ONLY),
    (
        1665,
        "the server writes its binary log by statement: set `binlog_format` to ROW or MIXED",
    ),
    (
        3159,
        "the server wants encrypted connections: end the URL with ?ssl-mode=VERIFY_IDENTITY",
    ),
];

const CREDENTIALS: &str =
    "the server knows no such user with this password for this machine: see both in the URL";
const FULL: &str = "the server has no space left for the tables";
const READ_ONLY: &str =
    "the server takes no writes: if it is a replica, name its primary in the URL";
const RIGHTS: &str = "the user lacks a right on the tables of this store: see Rights in the documentation of MySqlStore";
const USER_CONNECTIONS: &str = "the user has as many connections as it may: raise its `max_user_connections`, or have each node take fewer with `connections`";

/// By what is found in the text of an error on the way to the server.
const TEXTS: [(&str, &str); 2] = [
    (
        "server does not have this capability",
        "the server speaks no TLS: leave ssl-mode out of the URL, or give the server a certificate",
    ),
    (
        "Unknown authentication plugin",
        "the account uses a way to log in that is not known here: give it mysql_native_password or caching_sha2_password",
    ),
];

/// What to do, if anything is known to help.
pub(super) fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::Server(error) => by_code(error.code, &error.message),
        Error::Driver(DriverError::PacketTooLarge) => {
            Some("a record is larger than the server takes: raise `max_allowed_packet`")
        }
        _ => by_text(&error.to_string()),
    }
}

fn by_code(code: u16, message: &str) -> Option<&'static str> {
    // Some other options are refused by the same number.
    let found = CODES.iter().find(|(known, _)| *known == code);
    let found = found.filter(|_| code != 1290 || message.contains("read-only"));
    found.map(|(_, advice)| *advice)
}

fn by_text(text: &str) -> Option<&'static str> {
    let found = TEXTS.iter().find(|(known, _)| text.contains(known));
    found
        .map(|(_, advice)| *advice)
        .or_else(|| network_advice(text))
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    fn said(code: u16, message: &str) -> Option<&'static str> {
        advice(&Error::Server(ServerError {
            code,
            message: message.to_owned(),
            state: "HY000".to_owned(),
        }))
    }

    #[test]
    fn each_error_has_its_advice() {
        // As MariaDB 10.11 and MySQL 8.0 word them.
        for (code, message, expected) in [
            (
                1045,
                "Access denied for user 'node'@'localhost' (using password: YES)",
                "the server knows no such user",
            ),
            (
                1698,
                "Access denied for user 'root'@'localhost'",
                "the server knows no such user",
            ),
            (
                1044,
                "Access denied for user 'node'@'%' to database 'shop'",
                "the user may not use this database",
            ),
            (
                1142,
                "CREATE command denied to user 'node'@'%' for table `shop`.`wxs_users`",
                "the user lacks a right",
            ),
            (
                1040,
                "Too many connections",
                "the server has as many connections",
            ),
            (
                1203,
                "User node already has more than 'max_user_connections' active connections",
                "the user has as many",
            ),
            (
                1290,
                "The MariaDB server is running with the --read-only option so it cannot execute this statement",
                "the server takes no writes",
            ),
            (
                1290,
                "The MySQL server is running with the --super-read-only option so it cannot execute this statement",
                "the server takes no writes",
            ),
            (
                1665,
                "Cannot execute statement: impossible to write to binary log since BINLOG_FORMAT = STATEMENT",
                "the server writes its binary log by statement",
            ),
            (
                3159,
                "Connections using insecure transport are prohibited while --require_secure_transport=ON.",
                "the server wants encrypted connections",
            ),
        ] {
            let said = said(code, message).unwrap_or_default();
            assert!(said.starts_with(expected), "{code}: {said}");
        }
    }

    #[test]
    fn what_passes_by_itself_or_is_not_known_needs_no_advice() {
        for (code, message) in [
            (
                1205,
                "Lock wait timeout exceeded; try restarting transaction",
            ),
            (
                1213,
                "Deadlock found when trying to get lock; try restarting transaction",
            ),
            (
                1290,
                "The MySQL server is running with the --secure-file-priv option",
            ),
        ] {
            assert_eq!(said(code, message), None, "{code}");
        }
    }
}
