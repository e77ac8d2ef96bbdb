//! The keys of the tags.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::fault::Failure;
use super::pool::Pool;
use super::row::column;
use super::run::Operation;
use super::statements::Statements;
use super::users::lock;
use crate::backend::wire::tag_key::{decode, encode};
use crate::store::StoreError;
use crate::token::TagKey;

/// The lock on the keys: no user has this name.
const LOCK: &[u8] = b"tag keys";

/// All keys, after adding the offer if it is newer than all of them.
pub(super) async fn keep(pool: &Arc<Pool>, offer: &TagKey) -> Result<Vec<TagKey>, Failure> {
    let known = pool.run(&Known).await?;
    match offer.is_newer_than_all(&known) {
        true => pool.transact(&Offer(offer)).await,
        false => Ok(known),
    }
}

struct Known;

impl Operation for Known {
    type Answer = Vec<TagKey>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Vec<TagKey>, Failure> {
        let rows: Vec<Row> = on.exec(&statements.tag_keys, ()).await?;
        let key = |row: Row| {
            let bytes: Vec<u8> = column(&row, 0)?;
            Ok(decode(&bytes).map_err(StoreError::about_no_record)?)
        };
        rows.into_iter().map(key).collect()
    }
}

struct Offer<'a>(&'a TagKey);

impl Operation for Offer<'_> {
    type Answer = Vec<TagKey>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Vec<TagKey>, Failure> {
        lock(on, statements, LOCK).await?;
        let mut keys = Known.on(on, statements).await?;
        if self.0.is_newer_than_all(&keys) {
            let row = (encode(self.0),);
            on.exec_drop(&statements.add_tag_key, row).await?;
            keys.push(self.0.clone());
        }
        Ok(keys)
    }
}
