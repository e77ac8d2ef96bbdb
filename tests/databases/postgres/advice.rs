//! What errors of real servers say to do.

use tower_wx_session::store::{PostgresStore, SessionStore};

use super::records::{keep, store, user};
use crate::support::errors::texts;
use crate::support::free_port::free_port;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{PostgresServer, client};

const PASSWORD: &str = "p%40ss%2Fword";

async fn says(url: &str, expected: &str) {
    let store = store(url);
    let error = texts(&store.now().await.unwrap_err());
    assert!(error.contains(expected), "{error}");
    assert!(
        !error.contains("p@ss") && !error.contains(PASSWORD),
        "{error}"
    );
    assert!(!format!("{store:?}").contains(PASSWORD));
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let hba = "host all guest all scram-sha-256\nhostssl all secret all trust\nhost all postgres all trust\n";
    let files = [("pg_hba.conf", hba)];
    let settings = [
        "fsync=off",
        "max_connections=6",
        "superuser_reserved_connections=0",
    ];
    let server = PostgresServer::start_with_files(&settings, &files).await;
    let admin = server.client().await;
    let guest = "CREATE ROLE guest LOGIN PASSWORD 'p@ss/word'; CREATE ROLE secret LOGIN; \
        GRANT ALL ON SCHEMA public TO guest";
    admin.batch_execute(guest).await.unwrap();
    let at = format!("127.0.0.1:{}", server.port);
    let ours = format!("postgres://guest:{PASSWORD}@{at}/postgres");
    keep(&store(&ours), &user("u")).await;
    for (url, expected) in [
        (
            ours.replace("word", "wort"),
            "the server knows no such user with this password",
        ),
        (
            format!("postgres://guest@{at}/postgres"),
            "the server wants a password",
        ),
        (
            ours.replace("/postgres", "/shop"),
            "the server has no such database",
        ),
        (
            format!("postgres://secret@{at}/postgres"),
            "write sslmode=require in the URL",
        ),
        (
            format!("postgres://stranger@{at}/postgres"),
            "pg_hba.conf lets nobody in",
        ),
        (
            format!("{ours}?sslmode=require"),
            "write sslmode=disable in the URL",
        ),
        (
            ours.replace(&at, &format!("127.0.0.1:{}", free_port())),
            "nothing listens there",
        ),
        (
            ours.replace(&at, "db.invalid:5432"),
            "no address is known for this name",
        ),
        (
            ours.replace(&at, "%2Fnowhere"),
            "there is no socket of a server in this folder",
        ),
    ] {
        says(&url, expected).await;
    }
    let mut many = vec![admin];
    while let Ok((client, connection)) =
        tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await
    {
        tokio::spawn(connection);
        many.push(client);
    }
    says(&ours, "the server has as many connections as it takes").await;
}

#[tokio::test]
async fn a_pooler_that_takes_no_options_is_told_of() {
    let server = PostgresServer::shared().await;
    let bouncer = PgBouncer::start(&server, "transaction").await;
    let url = bouncer.url_of(&server.database().await);
    says(
        &format!("{url}?options=-c%20work_mem%3D1MB"),
        "a pooler takes no options",
    )
    .await;
}

#[tokio::test]
async fn a_lock_that_somebody_holds_for_long_is_told_of() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store: PostgresStore = store(&url);
    keep(&store, &user("u")).await;
    let other = client(&url).await;
    let lock = "BEGIN; LOCK TABLE wxs_sessions";
    other.batch_execute(lock).await.unwrap();
    let error = texts(&store.writable([0, 0]).await.unwrap_err());
    assert!(error.contains("somebody has held a lock"), "{error}");
}

#[cfg(feature = "tracing")]
#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn a_server_that_may_lose_what_it_has_acknowledged_is_warned_of_once() {
    let (log, _guard) = crate::support::log::Log::from(tracing::Level::WARN);
    let settings = [
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
    ];
    let server = PostgresServer::start_with(&settings).await;
    let store = store(&server.url());
    for n in 0..3 {
        keep(&store, &user(&n.to_string())).await;
    }
    let lines = log.take("may lose sessions");
    assert_eq!(lines.len(), 1, "{lines:?}");
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert!(lines[0].contains(setting), "{lines:?}");
    }
    let safe = PostgresServer::start().await;
    keep(&super::records::store(&safe.url()), &user("u")).await;
    assert_eq!(log.take("may lose sessions"), [] as [String; 0]);
}
