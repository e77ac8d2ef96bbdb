//! One connection, set up as every statement of this store expects it.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts};

/// After how long without a statement the server ends a connection, and with it a transaction that a
/// process has left open. The link relies on it: no change becomes visible later than this after it
/// was written, and what it takes to commit.
pub(super) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// Has a connection whose server is gone end at last.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(30);

/// READ COMMITTED, because under the default an open sweep would block every insert: no gap is locked.
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Nothing is cut off silently, times do not depend on a zone with summer time, and whoever waits for a
/// lock gives up: nobody waits for longer than a deadline, and a server does not notice by itself that
/// a client has gone.
const SETTINGS: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
     time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = 1, wait_timeout = 60";

/// The longest that a statement may take, and a transaction may wait for its next one. Each server knows
/// some of these: MariaDB the first two, MySQL and TiDB the last (of reads).
const LIMITS: [&str; 3] = [
    "SET SESSION max_statement_time = 5",
    "SET SESSION idle_transaction_timeout = 5",
    "SET SESSION max_execution_time = 5000",
];

/// Connects, and sets up the session. It is never reset, so that this stays.
pub(super) async fn open(options: Opts) -> Result<Conn, Error> {
    let mut connection = Conn::new(options).await?;
    connection.query_drop(ISOLATION).await?;
    connection.query_drop(SETTINGS).await?;
    for limit in LIMITS {
        match connection.query_drop(limit).await {
            Ok(()) | Err(Error::Server(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(connection)
}
