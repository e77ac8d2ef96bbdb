//! What is in the file.
//!
//! | table | key | value |
//! |---|---|---|
//! | `sessions` | session | checksum, when this was written, what is kept of it: `wire/record.rs` |
//! | `users` | user's name, time of issue, session | none |
//! | `due` | a time, then a session or a user's name | none |
//! | `session_keys` | user's name | checksum, the session_keys: `kept_keys.rs` |
//! | `meta` | `format`, `time`, `tag_keys` | checksum, see below |
//!
//! `users` has the sessions that were not revoked. `due` has each session and each user's session_keys
//! once: when to look whether they can go. A use that comes meanwhile does not move it.
//!
//! A commit tells the latest time: in a session that it writes, or else in `meta`, which costs a page more.

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::checked;
use super::fault::Fault;
use crate::backend::kept_keys::KeptKeys;
use crate::backend::stored::Stored;
use crate::backend::wire::bytes::{LATEST, corrupt};
use crate::backend::wire::record;
use crate::backend::wire::user::{USER_LEN, user_name_bytes};
use crate::identity::Identity;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::token::SessionId;

pub(super) const ID_LEN: usize = 18;
const TIME_LEN: usize = 6;
const USERS_LEN: usize = USER_LEN + TIME_LEN + ID_LEN;

pub(super) type User = [u8; USER_LEN];
type UsersKey = [u8; USERS_LEN];

pub(super) const SESSIONS: TableDefinition<'_, &[u8; ID_LEN], &[u8]> =
    TableDefinition::new("sessions");
pub(super) const USERS: TableDefinition<'_, &UsersKey, ()> = TableDefinition::new("users");
pub(super) const DUE: TableDefinition<'_, &[u8], ()> = TableDefinition::new("due");
pub(super) const SESSION_KEYS: TableDefinition<'_, &User, &[u8]> =
    TableDefinition::new("session_keys");
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// All tables, in a transaction that writes.
pub(super) struct Tables<'t> {
    pub(super) sessions: Table<'t, &'static [u8; ID_LEN], &'static [u8]>,
    pub(super) users: Table<'t, &'static UsersKey, ()>,
    pub(super) due: Table<'t, &'static [u8], ()>,
    pub(super) session_keys: Table<'t, &'static User, &'static [u8]>,
    pub(super) meta: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Tables<'t> {
    /// Makes those that are not there yet.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            sessions: transaction.open_table(SESSIONS)?,
            users: transaction.open_table(USERS)?,
            due: transaction.open_table(DUE)?,
            session_keys: transaction.open_table(SESSION_KEYS)?,
            meta: transaction.open_table(META)?,
        })
    }
}

/// What is kept of a session.
pub(super) fn session(
    sessions: &impl ReadableTable<&'static [u8; ID_LEN], &'static [u8]>,
    id: SessionId,
) -> Result<Option<Stored>, Fault> {
    let key = id.as_bytes();
    let Some(kept) = sessions.get(key)? else {
        return Ok(None);
    };
    let (_, bytes) = open_session(key, kept.value())?;
    Ok(Some(record::decode(bytes)?))
}

/// A session as it is kept, written `at` this time.
pub(super) fn seal_session(id: SessionId, at: Timestamp, stored: &Stored) -> Vec<u8> {
    let value = [&time_bytes(at)[..], &record::encode_stored(stored)].concat();
    checked::seal(id.as_bytes(), &value)
}

/// When a session was written, and the bytes of what is kept of it.
fn open_session<'a>(
    key: &[u8; ID_LEN],
    kept: &'a [u8],
) -> Result<(Timestamp, &'a [u8]), StoreError> {
    let (at, bytes) = checked::open(key, kept)?
        .split_first_chunk::<TIME_LEN>()
        .ok_or_else(corrupt)?;
    let millis = at
        .iter()
        .fold(0, |millis, byte| millis << 8 | u64::from(*byte));
    Ok((Timestamp::from_millis(millis), bytes))
}

/// The latest time that a session was written.
pub(super) fn latest_write(
    sessions: &impl ReadableTable<&'static [u8; ID_LEN], &'static [u8]>,
) -> Result<Timestamp, Fault> {
    let mut latest = Timestamp::default();
    for entry in sessions.iter()? {
        let (key, kept) = entry?;
        // What is damaged says nothing.
        if let Ok((at, _)) = open_session(key.value(), kept.value()) {
            latest = latest.max(at);
        }
    }
    Ok(latest)
}

/// The sessions of a user that were not revoked, oldest first.
pub(super) fn sessions_of(
    users: &impl ReadableTable<&'static UsersKey, ()>,
    user: &Identity,
) -> Result<Vec<SessionId>, Fault> {
    let name = user_name_bytes(user);
    let (mut first, mut last) = ([0; USERS_LEN], [u8::MAX; USERS_LEN]);
    first[..USER_LEN].copy_from_slice(&name);
    last[..USER_LEN].copy_from_slice(&name);
    let mut found = Vec::new();
    for entry in users.range::<&UsersKey>(&first..=&last)? {
        let (key, ()) = (entry?.0, ());
        found.extend(key.value().last_chunk().copied().map(SessionId::from_bytes));
    }
    Ok(found)
}

/// The session_keys of a user.
pub(super) fn keys_of(
    session_keys: &impl ReadableTable<&'static User, &'static [u8]>,
    user: &User,
) -> Result<Option<KeptKeys>, Fault> {
    let Some(kept) = session_keys.get(user)? else {
        return Ok(None);
    };
    let decoded = checked::open(user, kept.value()).and_then(KeptKeys::decode);
    // It says nothing of a session.
    Ok(Some(decoded.map_err(StoreError::about_no_record)?))
}

/// What is kept under a name beside the sessions.
pub(super) fn meta(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<Vec<u8>>, Fault> {
    let Some(kept) = meta.get(name)? else {
        return Ok(None);
    };
    let value = checked::open(name.as_bytes(), kept.value());
    Ok(Some(value.map_err(StoreError::about_no_record)?.to_vec()))
}

/// The name of a session among those of its user.
pub(super) fn users_key(user: &Identity, issued_at: Timestamp, id: SessionId) -> UsersKey {
    let mut key = [0; USERS_LEN];
    key[..USER_LEN].copy_from_slice(&user_name_bytes(user));
    key[USER_LEN..][..TIME_LEN].copy_from_slice(&time_bytes(issued_at));
    key[USER_LEN + TIME_LEN..].copy_from_slice(id.as_bytes());
    key
}

/// When to look at a session or a user's session_keys.
pub(super) fn due_key(at: Timestamp, name: &[u8]) -> Vec<u8> {
    [&time_bytes(at)[..], name].concat()
}

/// In the 48 bits that a record has for a time, too.
fn time_bytes(time: Timestamp) -> [u8; TIME_LEN] {
    let millis = time.as_millis().min(LATEST).to_be_bytes();
    std::array::from_fn(|i| millis[i + 2])
}

/// What is due at a time, as it was written.
pub(super) enum Due {
    Session(SessionId),
    Keys(User),
}

pub(super) fn read_due(key: &[u8]) -> Option<Due> {
    let name = key.get(TIME_LEN..)?;
    let session = name.try_into().map(SessionId::from_bytes).map(Due::Session);
    session.or_else(|_| name.try_into().map(Due::Keys)).ok()
}
