//! What the scripts answer.

use redis::Value;

use super::record::{self, Stored, corrupt, session_id};
use super::reply::{bytes, items, unintelligible};
use crate::SessionId;
use crate::store::{EndReason, Record, Rotated, StoreError, StoreErrorKind, Timestamp};

/// Reads how a script begins its answer: a word, and what follows.
pub(super) fn verdict(value: &Value) -> Result<(&[u8], &[Value]), StoreError> {
    let (word, rest) = match value {
        Value::Array(items) => items.split_first().ok_or_else(unintelligible)?,
        word => (word, [].as_slice()),
    };
    match bytes(word).ok_or_else(unintelligible)? {
        b"corrupt" => Err(corrupt()),
        b"newer" => Err(StoreError::new(StoreErrorKind::NewerVersion)),
        word => Ok((word, rest)),
    }
}

pub(super) fn ids(values: &[Value]) -> Result<Vec<SessionId>, StoreError> {
    let ids = values.iter().map(|value| session_id(bytes(value)?));
    ids.collect::<Option<_>>().ok_or_else(unintelligible)
}

pub(super) fn touched(answer: &Value) -> Result<Option<Timestamp>, StoreError> {
    match verdict(answer)? {
        (b"accepted", [Value::Int(deadline)]) => {
            let deadline = u64::try_from(*deadline).map_err(|_| unintelligible())?;
            Ok(Some(Timestamp::from_millis(deadline)))
        }
        (b"refused", []) => Ok(None),
        (b"unwritten", [reason]) => {
            let reason = bytes(reason).map(String::from_utf8_lossy);
            Err(StoreError::unwritten().caused_by(reason.unwrap_or_default()))
        }
        _ => Err(unintelligible()),
    }
}

pub(super) fn rotated(answer: &Value) -> Result<Rotated, StoreError> {
    Ok(match verdict(answer)? {
        (b"taken", _) => Rotated::Taken,
        (b"unknown", _) => Rotated::NeverSeen,
        (b"ended", [Value::Int(code)]) => Rotated::Ended(reason(*code)?),
        (b"done", [record]) => {
            let bytes = bytes(record).ok_or_else(unintelligible)?;
            match Stored::decode(bytes)? {
                Stored::Kept(record) => Rotated::Done(record),
                Stored::Revoked { .. } => return Err(unintelligible()),
            }
        }
        _ => return Err(unintelligible()),
    })
}

fn reason(code: i64) -> Result<EndReason, StoreError> {
    let code = u8::try_from(code).ok();
    code.and_then(record::reason).ok_or_else(unintelligible)
}

/// A damaged record is the matter of its own session.
pub(super) fn listed(found: &Value) -> Option<(SessionId, Record)> {
    let [id, record] = items(found).ok()? else {
        return None;
    };
    match Stored::decode(bytes(record)?).ok()? {
        Stored::Kept(record) => Some((session_id(bytes(id)?)?, record)),
        Stored::Revoked { .. } => None,
    }
}
