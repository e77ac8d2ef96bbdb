//! What the scripts answer.

use redis::Value;

use super::reply::{bytes, items, unintelligible};
use crate::backend::stored::Stored;
use crate::backend::wire::bytes::{corrupt, session_id};
use crate::backend::wire::record;
use crate::session::{EndReason, Record};
use crate::store::{Inserted, Rotated, StoreError, StoreErrorKind};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Reads how a script begins its answer: a word, and what follows.
pub(crate) fn verdict(value: &Value) -> Result<(&[u8], &[Value]), StoreError> {
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

fn ids(values: &[Value]) -> Result<Vec<SessionId>, StoreError> {
    let ids = values.iter().map(|value| session_id(bytes(value)?));
    ids.collect::<Option<_>>().ok_or_else(unintelligible)
}

/// The sessions that an index names. What is no name of a session is passed over.
pub(crate) fn indexed(answer: &Value) -> Result<impl Iterator<Item = SessionId>, StoreError> {
    let names = items(answer)?.iter().filter_map(bytes);
    Ok(names.filter_map(session_id))
}

/// The names of the keys that a script needs, if that is its answer.
pub(crate) fn needed(answer: &Value) -> Option<impl Iterator<Item = &[u8]>> {
    match items(answer).ok()? {
        [word, names] if bytes(word) == Some(b"again") => {
            Some(items(names).ok()?.iter().filter_map(bytes))
        }
        _ => None,
    }
}

/// The answer itself, and the names of the sessions that the store is to announce.
pub(crate) fn changed(answer: Value) -> (Value, Vec<Vec<u8>>) {
    match answer {
        Value::Array(mut items) if items.first().and_then(bytes) == Some(b"changed") => {
            let names = items.pop().unwrap_or(Value::Nil);
            let names = items_of(&names);
            (items.pop().unwrap_or(Value::Nil), names)
        }
        answer => (answer, Vec::new()),
    }
}

fn items_of(names: &Value) -> Vec<Vec<u8>> {
    let names = items(names).unwrap_or_default().iter();
    names.filter_map(bytes).map(<[u8]>::to_vec).collect()
}

pub(crate) fn inserted(answer: &Value) -> Result<(Inserted, Vec<&[u8]>), StoreError> {
    match verdict(answer)? {
        (b"taken", _) => Ok((Inserted::Taken, Vec::new())),
        (b"kept", []) => Ok((Inserted::Kept(Vec::new()), Vec::new())),
        (b"kept", [replaced, perhaps_gone]) => {
            let replaced = ids(items(replaced)?)?;
            let perhaps_gone = items(perhaps_gone)?.iter().filter_map(bytes);
            Ok((Inserted::Kept(replaced), perhaps_gone.collect()))
        }
        (b"refused", [reason]) => {
            let reason = bytes(reason).map(String::from_utf8_lossy);
            Err(StoreError::unavailable(reason.unwrap_or_default()))
        }
        _ => Err(unintelligible()),
    }
}

/// What the script for several logins answers to each; `None` for one that has to be done by itself.
pub(crate) fn each_of(answers: Value, logins: usize) -> Result<Vec<Option<Value>>, StoreError> {
    match answers {
        Value::Array(answers) if answers.len() == logins => {
            let done = |answer| (bytes(&answer) != Some(b"alone")).then_some(answer);
            Ok(answers.into_iter().map(done).collect())
        }
        _ => Err(unintelligible()),
    }
}

/// Whether a script has ended one session; `None` if another one has taken its place meanwhile.
pub(crate) fn has_ended(answer: &Value) -> Result<Option<bool>, StoreError> {
    match verdict(answer)? {
        (b"changed", []) => Ok(None),
        _ => is_done(answer).map(Some),
    }
}

/// Whether a script that changes one session has done so.
pub(crate) fn is_done(answer: &Value) -> Result<bool, StoreError> {
    match verdict(answer)? {
        (b"done", []) => Ok(true),
        (b"taken" | b"refused", []) => Ok(false),
        _ => Err(unintelligible()),
    }
}

pub(crate) fn ended(answer: &Value) -> Result<Vec<SessionId>, StoreError> {
    match verdict(answer)? {
        (b"ended", [ended]) => ids(items(ended)?),
        _ => Err(unintelligible()),
    }
}

/// What a touch came to, and what the user's index needs to hold the session: the user, the time of
/// issue and until when the session is kept.
pub(crate) type Touched<'a> = (Option<Timestamp>, Option<(&'a [u8], i64, i64)>);

pub(crate) fn touched(answer: &Value) -> Result<Touched<'_>, StoreError> {
    let time = |millis: i64| {
        let millis = u64::try_from(millis).map_err(|_| unintelligible())?;
        Ok(Some(Timestamp::from_millis(millis)))
    };
    match verdict(answer)? {
        (b"accepted", [Value::Int(deadline)]) => Ok((time(*deadline)?, None)),
        (
            b"accepted",
            [
                Value::Int(deadline),
                user,
                Value::Int(issued),
                Value::Int(till),
            ],
        ) => {
            let user = bytes(user).ok_or_else(unintelligible)?;
            Ok((time(*deadline)?, Some((user, *issued, *till))))
        }
        (b"refused", []) => Ok((None, None)),
        (b"unwritten", [reason]) => {
            let reason = bytes(reason).map(String::from_utf8_lossy);
            Err(StoreError::unwritten().caused_by(reason.unwrap_or_default()))
        }
        _ => Err(unintelligible()),
    }
}

pub(crate) fn rotated(answer: &Value) -> Result<Rotated, StoreError> {
    Ok(match verdict(answer)? {
        (b"taken", _) => Rotated::Taken,
        (b"unknown", _) => Rotated::NeverSeen,
        (b"ended", [Value::Int(code)]) => Rotated::Ended(reason(*code)?),
        (b"done", [record]) => {
            let bytes = bytes(record).ok_or_else(unintelligible)?;
            match record::decode(bytes)? {
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

pub(crate) fn listed(answer: &Value) -> Result<Vec<(SessionId, Record)>, StoreError> {
    match verdict(answer)? {
        (b"found", [found]) => Ok(items(found)?.iter().filter_map(listed_one).collect()),
        _ => Err(unintelligible()),
    }
}

/// A damaged record is the matter of its own session.
fn listed_one(found: &Value) -> Option<(SessionId, Record)> {
    let [id, record] = items(found).ok()? else {
        return None;
    };
    match record::decode(bytes(record)?).ok()? {
        Stored::Kept(record) => Some((session_id(bytes(id)?)?, record)),
        Stored::Revoked { .. } => None,
    }
}
