//! The tables: made and brought up to date at the first connection.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::fault::failed;
use super::locks::{self, SCHEMA};
use super::names::Names;
use crate::store::StoreError;

const TABLES: &str = include_str!("schema.sql");
/// The version of `schema.sql`.
const VERSION: i32 = 1;

/// The one with the version first.
const TABLE_NAMES: [&str; 4] = [
    "{prefix}_schema",
    "{prefix}_sessions",
    "{prefix}_session_keys",
    "{prefix}_tag_keys",
];
const FIND: &str = "SELECT to_regclass($1) IS NOT NULL, \
    (SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest($2::text[]) AS name)";

/// What makes the tables, for whoever applies it by hand.
pub(super) fn tables(names: &Names) -> String {
    names.fill(TABLES)
}

/// Makes the tables unless they are there.
///
/// Any number of processes may begin at the same time: one does it, the others wait for it.
pub(super) async fn ensure(client: &Client, names: &Names) -> Result<(), StoreError> {
    if is_there(client, names).await? {
        return Ok(());
    }
    let lock = locks::statement(names, SCHEMA);
    // `CREATE TABLE IF NOT EXISTS` alone fails where two do it at once.
    let all = format!(
        "BEGIN; SET LOCAL lock_timeout = '10s'; {lock}; {}; COMMIT",
        tables(names)
    );
    let made = client.batch_execute(&all).await;
    if let Err(error) = made {
        // What was begun is undone with the connection.
        return Err(failed(&error));
    }
    Ok(())
}

/// Whether the tables are there and can be worked with.
async fn is_there(client: &Client, names: &Names) -> Result<bool, StoreError> {
    let [version, others @ ..] = TABLE_NAMES.map(|name| names.fill(name));
    let found = client
        .query_typed_one(
            FIND,
            &[(&version, Type::TEXT), (&&others[..], Type::TEXT_ARRAY)],
        )
        .await
        .map_err(|error| failed(&error))?;
    let (has_version, has_others): (bool, bool) = (found.get(0), found.get(1));
    if !has_version {
        return Ok(false);
    }
    let newest = names.fill(
        "SELECT version, works_with FROM {prefix}_schema WHERE version >= $1 ORDER BY version DESC LIMIT 1",
    );
    let newest = client
        .query_typed_opt(&newest, &[(&VERSION, Type::INT4)])
        .await
        .map_err(|error| failed(&error))?;
    let Some(newest) = newest else {
        return Ok(false);
    };
    let [version, works_with]: [i32; 2] = [newest.get(0), newest.get(1)];
    if works_with > VERSION {
        return Err(StoreError::unavailable(format!(
            "the tables {}_* have version {version} of a newer release, and this one knows {VERSION}: \
             update this node",
            names.fill("{prefix}")
        )));
    }
    Ok(has_others)
}
