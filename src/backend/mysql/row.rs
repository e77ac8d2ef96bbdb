//! Rows of sessions, as they are read and written.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::FromValue;
use mysql_async::{Row, Value};

use super::fault::Failure;
use crate::backend::stored::Stored;
use crate::backend::wire::bytes::{LATEST, corrupt};
use crate::backend::wire::reason::{name, reason};
use crate::backend::wire::user::user_name_bytes;
use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{StoreError, StoreErrorKind};
use crate::time::{Timestamp, millis};
use crate::token::SessionId;

/// What was read under one lock, or at one instant.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) now: Timestamp,
    pub(super) kept: Vec<(SessionId, Stored)>,
    /// Those whose records are damaged, and until when they may have been meant to be kept.
    pub(super) damaged: Vec<(SessionId, Timestamp)>,
}

impl Sessions {
    /// From rows with the time, and the columns of a session or nothing.
    pub(super) fn read(rows: Vec<Row>) -> Result<Self, Failure> {
        let mut sessions = Self::default();
        for row in rows {
            sessions.add(&row)?;
        }
        Ok(sessions)
    }

    /// Whether there was no row, and so no time.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.damaged.is_empty()
    }

    fn add(&mut self, row: &Row) -> Result<(), Failure> {
        self.now = self.now.max(time(column(row, 0)?));
        let Some(id) = session_id(row, 1)? else {
            return Ok(());
        };
        match stored(row) {
            Ok(stored) => self.kept.push((id, stored)),
            Err(Failure::Store(error)) if error.kind() == StoreErrorKind::Corrupt => {
                let until: (i64, i64) = (column(row, 7)?, column(row, 16)?);
                self.damaged.push((id, time(until.0.max(until.1))));
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }
}

pub(super) fn session_id(row: &Row, index: usize) -> Result<Option<SessionId>, Failure> {
    let name: Option<Vec<u8>> = column(row, index)?;
    let name = name.map(|name| name.try_into().map_err(|_| unintelligible()));
    Ok(name.transpose()?.map(SessionId::from_bytes))
}

/// The session in the columns behind its name.
fn stored(row: &Row) -> Result<Stored, Failure> {
    let user: Option<Vec<u8>> = column(row, 2)?;
    match user {
        Some(user) => Ok(Stored::Kept(record(row, &user)?)),
        None => revoked(row),
    }
}

fn record(row: &Row, user: &[u8]) -> Result<Record, Failure> {
    let identity = Identity::new(text(row, 3)?, text(row, 4)?);
    // The names were damaged if they are not those of the user.
    if user_name_bytes(&identity) != user {
        return Err(corrupt().into());
    }
    let unionid = text_or_none(row, 5)?;
    let idle_timeout: i64 = column(row, 8)?;
    let idle_timeout = Duration::from_millis(idle_timeout.try_into().unwrap_or_default());
    let issued_at = time(column(row, 6)?);
    let data = text_or_none(row, 13)?.map(Arc::from);
    let identity = match unionid {
        Some(unionid) => identity.with_unionid(unionid),
        None => identity,
    };
    let record = Record::issued(identity, issued_at, Duration::ZERO, idle_timeout, data);
    Ok(Record {
        absolute_end: time(column(row, 7)?),
        idle_deadline: time(column(row, 9)?),
        last_used: column::<Option<i64>>(row, 10)?.map(time),
        retires_at: column::<Option<i64>>(row, 11)?.map(time),
        successor: successor(row)?,
        ..record
    })
}

fn successor(row: &Row) -> Result<Option<SessionId>, Failure> {
    let name: Option<Vec<u8>> = column(row, 12)?;
    let name = name.map(|name| name.try_into().map_err(|_| corrupt()));
    Ok(name.transpose()?.map(SessionId::from_bytes))
}

fn revoked(row: &Row) -> Result<Stored, Failure> {
    let text: Option<Vec<u8>> = column(row, 14)?;
    let known = text.and_then(|text| reason(&text));
    Ok(Stored::Revoked {
        reason: known.ok_or_else(corrupt)?,
        at: time(column::<Option<i64>>(row, 15)?.ok_or_else(corrupt)?),
        // Its place in the index of what is due may say something else meanwhile.
        until: time(column(row, 7)?).max(time(column(row, 16)?)),
    })
}

fn text(row: &Row, index: usize) -> Result<String, Failure> {
    Ok(text_or_none(row, index)?.ok_or_else(corrupt)?)
}

fn text_or_none(row: &Row, index: usize) -> Result<Option<String>, Failure> {
    let bytes: Option<Vec<u8>> = column(row, index)?;
    let text = bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| corrupt()));
    Ok(text.transpose()?)
}

/// What stands in each column, the name last.
pub(super) fn columns(id: SessionId, stored: &Stored) -> Vec<Value> {
    let mut columns = match stored {
        Stored::Kept(record) => columns_of_record(record),
        Stored::Revoked { reason, at, .. } => columns_of_revoked(*reason, *at),
    };
    columns.push(number(stored.kept_until()));
    columns.push(id.as_bytes().as_slice().into());
    columns
}

fn columns_of_record(record: &Record) -> Vec<Value> {
    let identity = &record.identity;
    vec![
        user_name_bytes(identity).as_slice().into(),
        identity.appid().into(),
        identity.openid().into(),
        identity.unionid().into(),
        number(record.issued_at),
        number(record.absolute_end),
        millis(record.idle_timeout).min(LATEST).into(),
        number(record.idle_deadline),
        record.last_used.map(number).into(),
        record.retires_at.map(number).into(),
        record.successor.map(|id| id.as_bytes().to_vec()).into(),
        record.data.as_deref().into(),
        Value::NULL,
        Value::NULL,
    ]
}

/// No user finds it, and no touch; nobody's name is left.
fn columns_of_revoked(reason: EndReason, at: Timestamp) -> Vec<Value> {
    let mut columns = vec![Value::NULL; 4];
    columns.extend([0, 0, 0, 0].map(Value::from));
    columns.extend(vec![Value::NULL; 4]);
    columns.extend([name(reason).into(), number(at)]);
    columns
}

pub(super) fn number(time: Timestamp) -> Value {
    whole(time).into()
}

/// Within the 63 bits of a BIGINT, also after a sum.
pub(super) fn whole(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis().min(LATEST)).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis.try_into().unwrap_or_default())
}

/// The time in a row of nothing else.
pub(super) fn only_time(row: Option<Row>) -> Result<Timestamp, Failure> {
    let row = row.ok_or_else(unintelligible)?;
    Ok(time(column(&row, 0)?))
}

/// One column. The client's own conversions panic.
pub(super) fn column<T: FromValue>(row: &Row, index: usize) -> Result<T, Failure> {
    match row.get_opt(index) {
        Some(Ok(value)) => Ok(value),
        _ => Err(unintelligible()),
    }
}

pub(super) fn unintelligible() -> Failure {
    let error = "the server's answer cannot be understood: are these tables those of this store?";
    StoreError::unavailable(error).into()
}
