//! A link: every 200 ms a look at the table of changes, and at the sessions that have ended by themselves.
//!
//! A change becomes visible when its transaction commits, and that is no order by which it could be asked for:
//! numbers are given, and clocks read, before. So each look reads the names of all changes that were written
//! up to [`SHORTLY`] ago, and takes what it has not seen. For a transaction that has stood still before its
//! commit, every [`FAR_EVERY`] a look goes back by [`FAR`]: no transaction of a node lives that long
//! behind the statement that announces, because the server ends a connection on which nothing comes for
//! [`WAIT_TIMEOUT`](super::connection::WAIT_TIMEOUT), and rolls back what it was about.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};
use tokio::time::{sleep, timeout};

use super::connection::WAIT_TIMEOUT;
use super::fault::Failure;
use super::loads::padded;
use super::pool::Pool;
use super::row::{column, number, only_time, session_id, unintelligible, whole};
use super::statements::LIST;
use super::sweep;
use crate::store::{Feed, FeedEvent, FeedSender, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Events that a node may be behind before its link ends.
const CAPACITY: usize = 1024;
const EVERY: Duration = Duration::from_millis(200);
/// The longest that a look takes.
const WITHIN: Duration = Duration::from_secs(1);
/// Far more than a node leaves between the statement that announces and the commit behind it.
const SHORTLY: Duration = Duration::from_secs(5);
/// What the server may take to commit comes on top of what it waits for a statement.
const FAR: Duration = WAIT_TIMEOUT.saturating_add(Duration::from_secs(30));
const FAR_EVERY: Duration = Duration::from_secs(3);
/// Between two looks no more of the server's time passes. Otherwise this process stood still, or the clock was
/// set: changes may have been missed, or deleted.
const FARTHEST: Duration = Duration::from_secs(2);

/// Opens a link on a connection of its own. What is collected from time to time is collected beside it.
pub(super) async fn open(pool: &Arc<Pool>) -> Result<Feed, StoreError> {
    let link = begin(pool).await;
    let link = link.map_err(|failure| failure.at(&pool.server.location.address))?;
    let (sender, feed) = Feed::channel(CAPACITY);
    let pool = Arc::clone(pool);
    tokio::spawn(async move {
        tokio::select! {
            () = link.follow(sender) => {}
            () = sweep::repeat(&pool) => {}
        }
    });
    Ok(feed)
}

/// A link that has looked once: what is there by now is no news, and a node trusts what it reads from
/// here on.
async fn begin(pool: &Arc<Pool>) -> Result<Link, Failure> {
    loop {
        // From the pool, so that one that takes longer than a caller waits is there the next time.
        let lease = pool.lease().await?;
        let is_new = lease.is_new;
        let mut link = Link {
            pool: Arc::clone(pool),
            connection: lease.into_connection(),
            changes: Seen::default(),
            ended: Seen::default(),
            last: None,
            last_far: Timestamp::default(),
        };
        let first = timeout(WITHIN, link.look()).await;
        match first.map_err(|_| pool.server.location.no_answer())? {
            Ok(_) => return Ok(link),
            Err(failure) if !failure.remedy().helps(is_new) => return Err(failure),
            Err(_) => pool.close_idle(),
        }
    }
}

struct Link {
    pool: Arc<Pool>,
    connection: Conn,
    changes: Seen<i64>,
    ended: Seen<SessionId>,
    /// When the last look was, on the server's clock,
    last: Option<Timestamp>,
    /// and when the last one that went far back.
    last_far: Timestamp,
}

/// What was found since the last look that went far back, and by that one.
struct Seen<T>(HashSet<T>);

impl<T: Copy + Eq + Hash> Seen<T> {
    /// What is new of what a look has found.
    fn news(&mut self, found: HashSet<T>, is_far: bool) -> Vec<T> {
        let news = found.difference(&self.0).copied().collect();
        match is_far {
            true => self.0 = found,
            false => self.0.extend(found),
        }
        news
    }
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

/// What one look has found.
struct Look {
    /// The server's time before it.
    now: Timestamp,
    changed: Vec<SessionId>,
}

impl Link {
    /// Looks until there is a doubt. What is dropped then ends the feed.
    async fn follow(mut self, sender: FeedSender) {
        loop {
            sleep(EVERY).await;
            let Ok(Ok(look)) = timeout(WITHIN, self.look()).await else {
                return;
            };
            let changed = Some(look.changed).filter(|changed| !changed.is_empty());
            let changed = changed.map(FeedEvent::Changed);
            let events = changed.into_iter().chain([FeedEvent::Heartbeat(look.now)]);
            for event in events {
                if !sender.send(event) {
                    return;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Look, Failure> {
        let now = self.time().await?;
        let last = self.last.unwrap_or(now);
        if now.since(last) > FARTHEST || last.since(now) > FARTHEST {
            return Err(doubt(
                "the server's clock was set, or this process stood still",
            ));
        }
        let is_far = now.since(self.last_far) >= FAR_EVERY;
        let back = if is_far { FAR } else { SHORTLY };
        // From the time of the look before: what was written since then may be anywhere.
        let since = last.before(back);
        let (changes, ended) = (
            self.changes_since(since).await?,
            self.ended_since(since).await?,
        );
        let changes = self.changes.news(changes, is_far);
        let ended = self.ended.news(ended, is_far);
        if is_far {
            self.last_far = now;
        }
        let mut look = Look {
            now,
            changed: Vec::new(),
        };
        if self.last.replace(now).is_some() {
            let changes: Vec<_> = changes.into_iter().map(Value::from).collect();
            for names in changes.chunks(LIST) {
                look.changed.extend(self.sessions_of(names).await?);
            }
            look.changed.extend(ended);
        }
        Ok(look)
    }

    /// The server's time, if it is no replica by now: changes come late to one, or not at all.
    async fn time(&mut self) -> Result<Timestamp, Failure> {
        let statement = &self.pool.server.statements.now;
        let row = self
            .connection
            .exec_first::<Row, _, _>(statement, ())
            .await?;
        let is_read_only = row.as_ref().map(|row| column::<String>(row, 1));
        match is_read_only.transpose()?.as_deref() {
            Some("0" | "OFF") => only_time(row),
            _ => {
                // The others lead there as well, and loads would read what is old.
                self.pool.close_idle();
                Err(doubt("the server is read-only"))
            }
        }
    }

    async fn changes_since(&mut self, since: Timestamp) -> Result<HashSet<i64>, Failure> {
        let statement = &self.pool.server.statements.changes_since;
        let rows: Vec<Row> = self.connection.exec(statement, (number(since),)).await?;
        rows.into_iter().map(|row| column(&row, 0)).collect()
    }

    async fn ended_since(&mut self, since: Timestamp) -> Result<HashSet<SessionId>, Failure> {
        let statement = &self.pool.server.statements.ended_since;
        let rows: Vec<Row> = self.connection.exec(statement, (-whole(since),)).await?;
        let ids = rows.iter().map(|row| session_id(row, 0).transpose());
        ids.flatten().collect()
    }

    /// The sessions that changes name.
    async fn sessions_of(&mut self, changes: &[Value]) -> Result<Vec<SessionId>, Failure> {
        let changes = padded(changes);
        let statement = self.pool.server.statements.changes(changes.len());
        let rows: Vec<Row> = self
            .connection
            .exec(statement, Params::Positional(changes))
            .await?;
        let mut sessions = Vec::new();
        for row in rows {
            let names: Vec<u8> = column(&row, 0)?;
            sessions.extend(decode(&names).ok_or_else(unintelligible)?);
        }
        Ok(sessions)
    }
}

/// The sessions in a change: their names, one behind the other.
fn decode(names: &[u8]) -> Option<Vec<SessionId>> {
    let (ids, rest) = names.as_chunks();
    let ids = ids.iter().map(|id| SessionId::from_bytes(*id));
    rest.is_empty().then(|| ids.collect())
}

fn doubt(reason: &'static str) -> Failure {
    StoreError::unavailable(reason).into()
}
