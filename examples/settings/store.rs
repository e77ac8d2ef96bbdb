//! Where an example keeps its sessions.

use std::error::Error;

use tower_wx_session::store::{
    AnyStore, FileStore, MySqlStore, PostgresStore, RedisStore, SessionStore,
};

/// What `STORE` names, by what stands before its first colon; `None` is the memory of the process, the
/// default. A file would outlive it, too, but so would the hours that a visitor of the demo has let pass,
/// and a second example beside the first would find it in use.
///
/// What it is stays out of errors: it may hold a password.
pub fn named(store: &str) -> Result<Option<AnyStore>, String> {
    let (kind, path) = store.split_once(':').unwrap_or((store, ""));
    match kind {
        "memory" => Ok(None),
        // Of a URL this would be the host; as a path it would be in the root folder.
        "file" if path.starts_with("//") && !path.starts_with("///") => Err(
            "STORE: expected file:PATH, such as file:sessions.redb or file:/var/lib/sessions.redb"
                .to_owned(),
        ),
        "file" => opened(FileStore::open(path)),
        "postgres" | "postgresql" => opened(PostgresStore::builder(store).build()),
        "mysql" | "mariadb" => opened(MySqlStore::builder(store).build()),
        _ if kind.starts_with("redis") => opened(RedisStore::builder(store).build()),
        _ => Err(
            "STORE: expected memory, file:PATH, or the URL of a PostgreSQL, MySQL or Redis"
                .to_owned(),
        ),
    }
}

fn opened<S: SessionStore>(
    store: Result<S, impl Error + 'static>,
) -> Result<Option<AnyStore>, String> {
    let store = store.map(AnyStore::new).map(Some);
    store.map_err(|error| {
        let mut told = format!("STORE: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            told = format!("{told}: {error}");
            cause = error.source();
        }
        told
    })
}
