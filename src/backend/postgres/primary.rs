use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::{Client, Row};

use super::columns::Time;
use super::connection::{Wire, drive_until, open};
use super::fault::{connecting_failed, failed};
use super::schema;
use super::server::Server;
use super::settings::Settings;
use crate::observe::trace;
use crate::store::StoreError;
use crate::time::Clock;

/// The longest that a server takes to let somebody in.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// Without these a server loses what it has acknowledged when it dies, or its machine.
const GREETING: &str = "SELECT pg_is_in_recovery(), clock_timestamp(), \
    array_remove(ARRAY[ \
        CASE current_setting('fsync') WHEN 'off' THEN 'fsync' END, \
        CASE current_setting('full_page_writes') WHEN 'off' THEN 'full_page_writes' END, \
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'synchronous_commit' END], NULL)";

/// Finds the server that takes writes, among those of a URL.
pub(super) struct Primary {
    pub(super) settings: Settings,
    /// Follows the server's.
    pub(super) clock: Clock,
    has_schema: AtomicBool,
    has_warned: AtomicBool,
}

impl Primary {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::monotonic(),
            has_schema: AtomicBool::new(false),
            has_warned: AtomicBool::new(false),
        }
    }

    /// Makes sure that the tables are there.
    pub(super) async fn prepare(&self, client: &Client) -> Result<(), StoreError> {
        // Two that come at the same time both look: that does no harm, and nothing is published here.
        if !self.has_schema.load(Ordering::Relaxed) {
            schema::ensure(client, &self.settings.names).await?;
            self.has_schema.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A table is missing: the next connection looks for all of them.
    pub(super) fn forget_schema(&self) {
        self.has_schema.store(false, Ordering::Relaxed);
    }

    /// A connection to the one of these servers that is no standby.
    ///
    /// All are tried at once, so that one that hangs holds nobody up, and the rest are closed.
    pub(super) async fn connect(
        self: &Arc<Self>,
        servers: &[Server],
    ) -> Result<(Client, Wire), StoreError> {
        let servers = servers.iter().cloned();
        let mut attempts: JoinSet<_> = servers
            .map(|server| Arc::clone(self).attempt(server))
            .collect();
        let mut failure = None;
        while let Some(attempt) = attempts.join_next().await {
            match attempt.map_err(StoreError::unavailable)? {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| StoreError::unavailable("no server is named")))
    }

    async fn attempt(self: Arc<Self>, server: Server) -> Result<(Client, Wire), StoreError> {
        let connecting = async {
            let (client, mut wire) = open(&self.settings, &server).await?;
            let greeting = client.query_typed_one(GREETING, &[]);
            let greeting = drive_until(&mut wire, greeting).await;
            let greeting = greeting.map_err(|error| connecting_failed(&error, &server))?;
            self.heed(&greeting, &server)?;
            Ok((client, wire))
        };
        let connected = timeout(CONNECTED_WITHIN, connecting).await;
        connected.unwrap_or_else(|_| {
            let late = format!("{server}: it does not answer, or cannot be reached");
            Err(StoreError::unavailable(late))
        })
    }

    fn heed(&self, greeting: &Row, server: &Server) -> Result<(), StoreError> {
        let read = |error| failed(&error);
        if greeting.try_get(0).map_err(read)? {
            let standby = "it is a standby: name the primary in the URL, or all servers";
            return Err(StoreError::unavailable(format!("{server}: {standby}")));
        }
        let now: Time = greeting.try_get(1).map_err(read)?;
        self.clock.follow(now.0);
        let off: Vec<&str> = greeting.try_get(2).map_err(read)?;
        if !off.is_empty() && !self.has_warned.swap(true, Ordering::Relaxed) {
            trace::store_may_lose(&off.join(", "));
        }
        Ok(())
    }
}
