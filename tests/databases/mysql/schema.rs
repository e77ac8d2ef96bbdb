//! How the tables come to be, and who may do what.

use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;
use tower_wx_session::store::{MySqlStore, SessionStore};
use tower_wx_session::test_util::conformance;

use super::records::{holds, keep, named, told, user};
use super::suite::OnMariaDb;
use crate::support::mariadb::{MariaDb, client, store};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_that_start_together_make_the_tables_once() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let mut starting = JoinSet::new();
    for number in 0..20 {
        // Each has connections of its own, as a process has.
        let store = store(&url);
        starting.spawn(async move { keep(&store, &named("together"), number).await });
    }
    assert_eq!(starting.join_all().await.len(), 20);
    let list = store(&url).list(named("together")).await.unwrap();
    assert_eq!(list.len(), 20);
}

#[tokio::test]
async fn tables_that_are_gone_are_made_again() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    keep(&store, &user(), 1).await;
    let mut client = client(&url).await;
    let all = "wxs_sessions, wxs_users, wxs_changes, wxs_tag_keys, wxs_version";
    for tables in [all, "wxs_sessions"] {
        let drop = format!("DROP TABLE {tables}");
        client.query_drop(drop).await.unwrap();
        holds(
            &told(store.list(user()).await),
            "a table of this store is gone",
        );
        keep(&store, &user(), 1).await;
    }
}

#[tokio::test]
async fn two_prefixes_share_a_database_and_nothing_else() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let one = store(&url);
    let other = MySqlStore::builder(&url).prefix("shop_2").build().unwrap();
    let session = keep(&one, &user(), 1).await;
    assert_eq!(keep(&other, &user(), 1).await, session);
}

/// Makes the account `node`, which has a right on this database.
async fn account(server: &MariaDb, url: &str, name: &str, rights: &str) -> String {
    let database = url.rsplit('/').next().unwrap();
    let mut root = server.client().await;
    for statement in [
        format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'p@ss/word'"),
        format!("GRANT {rights} ON {database}.* TO '{name}'@'%'"),
    ] {
        root.query_drop(statement).await.unwrap();
    }
    url.replace("root@", &format!("{name}:p%40ss%2Fword@"))
}

/// The rights in the row of the documentation.
fn rights(row: &str) -> &'static str {
    let documentation = include_str!("../../../src/backend/mysql/mod.rs");
    let start = format!("/// | {row} | `");
    let mut lines = documentation.lines();
    let rights = lines.find_map(|line| line.strip_prefix(&start)).unwrap();
    rights.trim_end_matches("` |")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn an_account_with_these_rights_passes_the_suite_on_tables_that_somebody_else_has_made() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let rights = rights("every store");
    let without = account(&server, &url, "without", rights).await;
    let told = told(store(&without).now().await);
    holds(&told, "the user lacks a right on the tables");

    let mut root = client(&url).await;
    let schema = MySqlStore::builder(&url).schema().unwrap();
    for statement in schema.split(';') {
        if !statement.trim().is_empty() {
            root.query_drop(statement).await.unwrap();
        }
    }
    conformance::run(&OnMariaDb { url: without }).await;
    let all: Vec<_> = rights.split(", ").collect();
    assert_eq!(all, ["SELECT", "INSERT", "UPDATE", "DELETE"]);
}

#[tokio::test]
async fn an_account_with_these_rights_makes_the_tables() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let rights = format!(
        "{}, {}",
        rights("every store"),
        rights("a store that makes its tables")
    );
    let with = account(&server, &url, "with", &rights).await;
    keep(&store(&with), &user(), 1).await;
}
