//! What the server reads for an operation, however many sessions there are.

use mysql_async::prelude::Queryable;
use tower_wx_session::store::MySqlStore;

use crate::every_way::live_in_every_way;
use crate::support::mariadb::{MariaDb, client};

/// Sessions of others.
const OTHERS: u32 = 12_000;

async fn others_log_in(url: &str) {
    let insert = format!(
        "INSERT INTO wxs_sessions (id, user, appid, openid, issued_at, absolute_end, idle_timeout, \
            idle_deadline, sweep_at) \
        SELECT LPAD(seq, 18, 'A'), CONCAT('u', seq), 'a', 'o', 1, at, 3600000, at, at \
        FROM seq_1_to_{OTHERS}, (SELECT (UNIX_TIMESTAMP() + 86400) * 1000 AS at) AS later"
    );
    client(url).await.query_drop(insert).await.unwrap();
}

/// Of all that the server has read of sessions.
async fn read(url: &str) -> u64 {
    let select = "SELECT ROWS_READ FROM information_schema.TABLE_STATISTICS \
         WHERE TABLE_NAME = 'wxs_sessions'";
    let read = client(url).await.query_first(select).await.unwrap();
    read.unwrap()
}

#[tokio::test]
async fn no_more_is_read_than_what_is_asked_for() {
    let server = MariaDb::start_with(&["userstat=1"]).await;
    let url = server.database().await;
    let store = MySqlStore::builder(&url).build().unwrap();
    live_in_every_way(&store).await;
    others_log_in(&url).await;
    live_in_every_way(&store).await;
    let read = read(&url).await;
    assert!((100..u64::from(OTHERS / 2)).contains(&read), "{read}");
}
