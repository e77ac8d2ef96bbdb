use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::connection::Parameter;
use super::connections::Connections;
use super::fault::failed;
use super::locks::TAG_KEYS;
use super::pipeline::Pipeline;
use super::statements::Statements;
use crate::backend::wire::tag_key;
use crate::store::StoreError;
use crate::token::TagKey;

/// All keys, after adding the offer if it is newer than all of them.
pub(super) async fn keep(
    connections: &Connections,
    statements: &Statements,
    offer: &TagKey,
) -> Result<Vec<TagKey>, StoreError> {
    let (_, rows) = connections.read(&statements.tag_keys, &[]).await?;
    let keys = decode(&rows)?;
    match offer.is_newer_than_all(&keys) {
        true => add(connections, statements, offer).await,
        false => Ok(keys),
    }
}

/// Reads them again with the lock, so that nodes that start together agree on one.
async fn add(
    connections: &Connections,
    statements: &Statements,
    offer: &TagKey,
) -> Result<Vec<TagKey>, StoreError> {
    let mut lease = connections.writes.lease().await?;
    let space = connections.primary.settings.names.lock_space();
    let lock: [Parameter<'_>; 2] = [(&space, Type::INT4), (&TAG_KEYS, Type::INT4)];
    let steps = Pipeline::begin()
        .then(&statements.lock, &lock)
        .then(&statements.tag_keys, &[]);
    let answers = lease.begin(steps).await.map_err(|error| failed(&error))?;
    let mut keys = decode(answers.get(1).map_or(&[], Vec::as_slice))?;
    let bytes = tag_key::encode(offer);
    let key: [Parameter<'_>; 1] = [(&bytes, Type::BYTEA)];
    let mut steps = Pipeline::default();
    if offer.is_newer_than_all(&keys) {
        steps = steps.then(&statements.add_tag_key, &key);
        keys.push(offer.clone());
    }
    let done = lease.run(steps.commit()).await;
    done.map(|_| keys).map_err(|error| failed(&error))
}

fn decode(rows: &[Row]) -> Result<Vec<TagKey>, StoreError> {
    let keys = rows.iter().filter_map(|row| row.try_get(1).transpose());
    keys.map(|bytes| {
        // Nothing says so but a log: no request is about this key.
        tag_key::decode(bytes.map_err(|error| failed(&error))?).map_err(StoreError::about_no_record)
    })
    .collect()
}
