use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::columns::Time;
use super::connection::Parameter;
use super::connections::Connections;
use super::database::now;
use super::fault::failed;
use super::locks::of_bucket;
use super::pipeline::Pipeline;
use super::statements::Statements;
use crate::backend::kept_keys::KeptKeys;
use crate::backend::wire::user::user_name;
use crate::identity::Identity;
use crate::store::{PutSessionKey, StoreError};

/// Those of a user that are still kept, newest first.
pub(super) async fn read(
    connections: &Connections,
    statements: &Statements,
    user: &Identity,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let user = user_name(user);
    let of = [(&user as _, Type::TEXT)];
    let (now, rows) = connections.read(&statements.session_keys, &of).await?;
    let keys = kept(&rows)?.map(KeptKeys::decode).transpose();
    let keys = keys.map_err(StoreError::about_no_record)?;
    Ok(keys.unwrap_or_default().live(now))
}

pub(super) async fn put(
    connections: &Connections,
    statements: &Statements,
    put: PutSessionKey,
) -> Result<(), StoreError> {
    let mut lease = connections.writes.lease().await?;
    let space = connections.primary.settings.names.lock_space();
    let (lock, user) = (of_bucket(put.user.bucket()), user_name(&put.user));
    let lock: [Parameter<'_>; 2] = [(&space, Type::INT4), (&lock, Type::INT4)];
    let of: [Parameter<'_>; 1] = [(&user, Type::TEXT)];
    let steps = Pipeline::begin()
        .then(&statements.lock, &lock)
        .then(&statements.session_keys, &of);
    let answers = lease.begin(steps).await.map_err(|error| failed(&error))?;
    let rows = answers.get(1).map_or(&[][..], Vec::as_slice);
    // What is damaged is of no use, and makes way.
    let keys = kept(rows)?.and_then(|bytes| KeptKeys::decode(bytes).ok());
    let mut keys = keys.unwrap_or_default();
    keys.put(put, now(rows)?);
    let (bytes, until) = (keys.encode(), Time(keys.until()));
    let kept: [Parameter<'_>; 3] = [
        (&user, Type::TEXT),
        (&bytes, Type::BYTEA),
        (&until, Type::TIMESTAMPTZ),
    ];
    let steps = Pipeline::default().then(&statements.put_session_keys, &kept);
    let done = lease.run(steps.commit()).await;
    done.map(drop).map_err(|error| failed(&error))
}

/// What is kept of a user, behind the time.
fn kept(rows: &[Row]) -> Result<Option<&[u8]>, StoreError> {
    let kept = rows.first().map(|row| row.try_get(1)).transpose();
    kept.map(Option::flatten).map_err(|error| failed(&error))
}
