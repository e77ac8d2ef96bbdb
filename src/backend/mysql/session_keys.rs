//! The session_keys of users, which stand in the row that their lock is.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::fault::Failure;
use super::row::{column, number, only_time, unintelligible};
use super::run::Operation;
use super::statements::Statements;
use super::users::lock;
use crate::backend::kept_keys::KeptKeys;
use crate::backend::wire::user::user_name_bytes;
use crate::identity::Identity;
use crate::store::{PutSessionKey, StoreError};
use crate::time::Timestamp;

impl Operation for PutSessionKey {
    type Answer = ();

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<(), Failure> {
        let user = user_name_bytes(&self.user);
        lock(on, statements, &user).await?;
        let row = on
            .exec_first(&statements.session_keys, (&user[..],))
            .await?;
        let (now, keys) = decode(row.ok_or_else(unintelligible)?)?;
        // What is damaged is of no use, and makes way.
        let mut keys = keys.unwrap_or_default();
        keys.put(self.clone(), now);
        let row = (keys.encode(), number(keys.until()), &user[..]);
        Ok(on.exec_drop(&statements.put_session_keys, row).await?)
    }
}

/// The session_keys of a user that are still kept, newest first.
pub(super) struct KeysOf<'a>(pub(super) &'a Identity);

impl Operation for KeysOf<'_> {
    type Answer = Vec<Vec<u8>>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Self::Answer, Failure> {
        let user = user_name_bytes(self.0);
        let row = on
            .exec_first(&statements.session_keys, (&user[..],))
            .await?;
        let Some(row) = row else {
            return Ok(Vec::new());
        };
        let (now, keys) = decode(row)?;
        Ok(keys.map_err(StoreError::about_no_record)?.live(now))
    }
}

/// The time, and the keys in a row.
fn decode(row: Row) -> Result<(Timestamp, Result<KeptKeys, StoreError>), Failure> {
    let keys: Option<Vec<u8>> = column(&row, 1)?;
    let keys = keys.map_or_else(|| Ok(KeptKeys::default()), |keys| KeptKeys::decode(&keys));
    Ok((only_time(Some(row))?, keys))
}
