//! Sessions as rows of the table: column by column on their way in, row by row on their way out.

use std::collections::HashSet;
use std::str;
use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::columns::{Span, Time};
use super::connection::Parameter;
use crate::backend::stored::Stored;
use crate::backend::wire::bytes::corrupt;
use crate::backend::wire::reason::{name, reason};
use crate::backend::wire::user::user_name;
use crate::identity::Identity;
use crate::session::Record;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is kept of a session, and how often that was changed.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// An error if somebody else has written it.
    pub(super) stored: Result<Stored, StoreError>,
    pub(super) revision: i32,
}

/// What there is of a session, at the server's `now`.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) now: Timestamp,
    pub(super) version: Option<Version>,
}

/// Reads the columns of `statements.rs` from this one on.
pub(super) fn read(row: &Row, from: usize) -> Option<(SessionId, Version)> {
    let id: Option<&str> = row.try_get(from).ok()?;
    let version = Version {
        stored: decode(row, from).ok_or_else(corrupt),
        revision: row.try_get(from + 1).ok()?,
    };
    Some((id?.parse().ok()?, version))
}

fn decode(row: &Row, from: usize) -> Option<Stored> {
    let revoked_at: Option<Time> = row.try_get(from + 12).ok()?;
    Some(match revoked_at {
        Some(at) => Stored::Revoked {
            reason: reason(row.try_get::<_, &str>(from + 13).ok()?.as_bytes())?,
            at: at.0,
            until: time(row, from + 14)?,
        },
        None => Stored::Kept(record(row, from)?),
    })
}

fn record(row: &Row, from: usize) -> Option<Record> {
    let [appid, openid] = [from + 2, from + 3].map(|column| text(row, column));
    let mut identity = Identity::new(appid??, openid??);
    if let Some(unionid) = text(row, from + 4)? {
        identity = identity.with_unionid(unionid);
    }
    let idle_timeout = row.try_get::<_, Span>(from + 7).ok()?.0;
    let absolute_end = time(row, from + 6)?;
    let mut record = Record::issued(
        identity,
        time(row, from + 5)?,
        Default::default(),
        idle_timeout,
        text(row, from + 15)?.map(Arc::from),
    );
    record.absolute_end = absolute_end;
    record.idle_deadline = time(row, from + 8)?;
    record.last_used = time_or_none(row, from + 9)?;
    record.retires_at = time_or_none(row, from + 10)?;
    let successor: Option<&str> = row.try_get(from + 11).ok()?;
    record.successor = match successor {
        Some(successor) => Some(successor.parse().ok()?),
        None => None,
    };
    Some(record)
}

fn text(row: &Row, column: usize) -> Option<Option<&str>> {
    let bytes: Option<&[u8]> = row.try_get(column).ok()?;
    match bytes {
        Some(bytes) => str::from_utf8(bytes).ok().map(Some),
        None => Some(None),
    }
}

fn time(row: &Row, column: usize) -> Option<Timestamp> {
    time_or_none(row, column)?
}

fn time_or_none(row: &Row, column: usize) -> Option<Option<Timestamp>> {
    let time: Option<Time> = row.try_get(column).ok()?;
    Some(time.map(|time| time.0))
}

/// The names in the first column.
pub(super) fn names(rows: Option<&Vec<Row>>) -> HashSet<String> {
    let rows = rows.into_iter().flatten();
    rows.filter_map(|row| row.try_get(0).ok()).collect()
}

/// When a row may be deleted. What moves the instant moves an index, so that of a live session is
/// rounded up, to the second of an hour that its name says: most uses leave it alone, and sessions
/// that end together are not deleted together.
fn kept_until(id: SessionId, stored: &Stored) -> Timestamp {
    const HOUR: u64 = 60 * 60 * 1000;
    let exact = stored.kept_until();
    if stored.record().is_none() {
        return exact;
    }
    let [_, _, high, low, ..] = *id.as_bytes();
    let second = u64::from(u16::from_be_bytes([high, low])) % 3600 * 1000;
    let hours = exact.as_millis().saturating_sub(second).div_ceil(HOUR);
    Timestamp::from_millis(hours.saturating_mul(HOUR).saturating_add(second))
}

/// Rows to add, as the columns of `INSERT`.
#[derive(Default)]
pub(super) struct NewRows {
    ids: Vec<String>,
    users: Vec<String>,
    appids: Vec<Vec<u8>>,
    openids: Vec<Vec<u8>>,
    unionids: Vec<Option<Vec<u8>>>,
    issued_at: Vec<Time>,
    absolute_ends: Vec<Time>,
    idle_timeouts: Vec<Span>,
    idle_deadlines: Vec<Time>,
    last_used: Vec<Option<Time>>,
    retires_at: Vec<Option<Time>>,
    successors: Vec<Option<String>>,
    kept_until: Vec<Time>,
    data: Vec<Option<Vec<u8>>>,
}

impl NewRows {
    pub(super) fn push(&mut self, id: SessionId, record: &Record) {
        let identity = &record.identity;
        self.ids.push(id.to_string());
        self.users.push(user_name(identity));
        self.appids.push(identity.appid().into());
        self.openids.push(identity.openid().into());
        self.unionids.push(identity.unionid().map(Into::into));
        self.issued_at.push(Time(record.issued_at));
        self.absolute_ends.push(Time(record.absolute_end));
        self.idle_timeouts.push(Span(record.idle_timeout));
        self.idle_deadlines.push(Time(record.idle_deadline));
        self.last_used.push(record.last_used.map(Time));
        self.retires_at.push(record.retires_at.map(Time));
        let successor = record.successor.map(|id| id.to_string());
        self.successors.push(successor);
        let kept = Stored::Kept(record.clone());
        self.kept_until.push(Time(kept_until(id, &kept)));
        self.data.push(record.data.as_deref().map(Into::into));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 14] {
        [
            (&self.ids, Type::TEXT_ARRAY),
            (&self.users, Type::TEXT_ARRAY),
            (&self.appids, Type::BYTEA_ARRAY),
            (&self.openids, Type::BYTEA_ARRAY),
            (&self.unionids, Type::BYTEA_ARRAY),
            (&self.issued_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.absolute_ends, Type::TIMESTAMPTZ_ARRAY),
            (&self.idle_timeouts, Type::INTERVAL_ARRAY),
            (&self.idle_deadlines, Type::TIMESTAMPTZ_ARRAY),
            (&self.last_used, Type::TIMESTAMPTZ_ARRAY),
            (&self.retires_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.successors, Type::TEXT_ARRAY),
            (&self.kept_until, Type::TIMESTAMPTZ_ARRAY),
            (&self.data, Type::BYTEA_ARRAY),
        ]
    }
}

/// Rows to change, as the columns of `UPDATE`: what a session's life changes of it.
#[derive(Default)]
pub(super) struct ChangedRows {
    ids: Vec<String>,
    revisions: Vec<i32>,
    idle_deadlines: Vec<Option<Time>>,
    last_used: Vec<Option<Time>>,
    retires_at: Vec<Option<Time>>,
    successors: Vec<Option<String>>,
    revoked_at: Vec<Option<Time>>,
    reasons: Vec<Option<&'static str>>,
    kept_until: Vec<Time>,
}

impl ChangedRows {
    /// What to keep of a session now, and which revision of it that takes the place of.
    pub(super) fn push(&mut self, id: SessionId, stored: &Stored, revision: i32) {
        self.ids.push(id.to_string());
        self.revisions.push(revision);
        let record = stored.record();
        let idle_deadline = record.map(|record| Time(record.idle_deadline));
        self.idle_deadlines.push(idle_deadline);
        self.last_used
            .push(record.and_then(|record| record.last_used.map(Time)));
        self.retires_at
            .push(record.and_then(|record| record.retires_at.map(Time)));
        let successor = record.and_then(|record| record.successor);
        self.successors.push(successor.map(|id| id.to_string()));
        let (revoked_at, reason) = match stored {
            Stored::Kept(_) => (None, None),
            Stored::Revoked { reason, at, .. } => (Some(Time(*at)), Some(name(*reason))),
        };
        self.revoked_at.push(revoked_at);
        self.reasons.push(reason);
        self.kept_until.push(Time(kept_until(id, stored)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 9] {
        [
            (&self.ids, Type::TEXT_ARRAY),
            (&self.revisions, Type::INT4_ARRAY),
            (&self.idle_deadlines, Type::TIMESTAMPTZ_ARRAY),
            (&self.last_used, Type::TIMESTAMPTZ_ARRAY),
            (&self.retires_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.successors, Type::TEXT_ARRAY),
            (&self.revoked_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.reasons, Type::TEXT_ARRAY),
            (&self.kept_until, Type::TIMESTAMPTZ_ARRAY),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::EndReason;

    #[test]
    fn a_row_is_kept_long_enough_and_most_uses_leave_it_alone() {
        let id = SessionId::from_bytes([7; 18]);
        let now = Timestamp::from_millis(1_767_225_600_000);
        let day = Duration::from_secs(86_400);
        let user = Identity::new("appid", "openid");
        let record = Record::issued(user, now, 30 * day, day / 12, None);
        let mut instants = Vec::new();
        for minute in 0..60 {
            let mut record = record.clone();
            record.idle_deadline = record.idle_deadline.after(Duration::from_secs(60 * minute));
            let kept = Stored::Kept(record);
            let until = kept_until(id, &kept);
            assert!(until >= kept.kept_until());
            assert!(until.since(kept.kept_until()) < Duration::from_secs(3600));
            instants.push(until);
        }
        instants.dedup();
        assert_eq!(instants.len(), 2);
        let revoked = Stored::revoked(&record, EndReason::LoggedOut, now);
        assert_eq!(
            kept_until(id, &revoked),
            revoked.kept_until(),
            "a reason is exact"
        );
    }
}
