//! A standby takes the place of its primary.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_wx_session::store::{
    EndReason, Insert, Loaded, PostgresStore, Record, Revoke, RevokeReason, SessionStore,
};
use tower_wx_session::{Identity, SessionId};

use super::link::{SECOND, store};
use crate::support::eventually::eventually;
use crate::support::feed::{beats, ended, told};
use crate::support::postgres::PostgresServer;

const HOUR: Duration = Duration::from_secs(3600);

/// A primary that acknowledges nothing which its standby does not have.
async fn pair() -> (PostgresServer, PostgresServer) {
    let primary = PostgresServer::start().await;
    let standby = primary.standby("heir").await;
    let client = primary.client().await;
    let wait = "ALTER SYSTEM SET synchronous_standby_names = 'heir'";
    client.batch_execute(wait).await.unwrap();
    primary.reload();
    eventually("commits to wait for the standby", async || {
        let state = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
        !client.query(state, &[]).await.unwrap().is_empty()
    })
    .await;
    (primary, standby)
}

fn user() -> Identity {
    Identity::new("appid", "openid")
}

/// Some session of the user's.
fn id(number: u8) -> SessionId {
    let mut bytes = [number; 18];
    bytes[..2].copy_from_slice(&user().bucket());
    SessionId::from_bytes(bytes)
}

async fn keep(store: &PostgresStore, number: u8) {
    let now = store.now().await.unwrap();
    let record = Record::issued(user(), now, HOUR, HOUR, None);
    store.insert(Insert::new(id(number), record)).await.unwrap();
}

fn logout(id: SessionId) -> Revoke {
    Revoke::new(id, RevokeReason::LoggedOut)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_promoted_standby_has_every_end_that_was_acknowledged_and_carries_links() {
    let (primary, standby) = pair().await;
    let (first, second) = (primary.port, standby.port);
    let url = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres");
    let store = store(&url);
    for number in 0..=250 {
        keep(&store, number).await;
    }
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;

    let mut acknowledged = Vec::new();
    let ending = async {
        for number in 0..250 {
            let ended = timeout(SECOND / 4, store.revoke(logout(id(number)))).await;
            if let Ok(Ok(_)) = ended {
                acknowledged.push(id(number));
            }
        }
    };
    let failing_over = async {
        tokio::time::sleep(SECOND / 10).await;
        primary.kill();
        let took = ended(&mut feed).await;
        assert!(took < SECOND, "{took:?}");
        standby.promote().await;
    };
    tokio::join!(ending, failing_over);

    let start = Instant::now();
    eventually("the new primary", async || store.now().await.is_ok()).await;
    let mut feed = store.subscribe().await.unwrap();
    println!(
        "{} ends acknowledged; a link {:.1?} after the promotion",
        acknowledged.len(),
        start.elapsed()
    );
    assert!((10..250).contains(&acknowledged.len()));
    for id in acknowledged {
        let is_over = matches!(
            store.load(id).await,
            Ok(Loaded::Ended {
                reason: EndReason::LoggedOut,
                ..
            })
        );
        assert!(is_over, "{id}");
    }
    store.revoke(logout(id(250))).await.unwrap();
    told(&mut feed, id(250)).await;
}

/// How many connections the stores have to a server.
async fn connections(server: &PostgresServer) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tower-wx-session'";
    let row = server.client().await.query_one(count, &[]).await.unwrap();
    row.get(0)
}

/// The old one neither answers nor closes its connections, as one does whose disk hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_primary_that_hangs_keeps_nobody_from_the_one_that_takes_its_place() {
    let (primary, standby) = pair().await;
    let (first, second) = (primary.port, standby.port);
    let url = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres");
    let store = store(&url);
    keep(&store, 1).await;
    eventually("all connections to be open", async || {
        let mut all = JoinSet::new();
        for number in 0..16 {
            let (store, user) = (store.clone(), Identity::new("appid", number.to_string()));
            all.spawn(async move {
                let listed = store.list(user.clone());
                let ended = store.revoke(Revoke::new(user.clone(), RevokeReason::LoggedOut));
                tokio::try_join!(listed, ended).map(drop).unwrap();
            });
        }
        all.join_all().await;
        connections(&primary).await == 8
    })
    .await;
    primary.pause();
    standby.promote().await;
    let start = Instant::now();
    eventually("the new primary", async || {
        let (loaded, written) = tokio::join!(
            timeout(SECOND / 4, store.load(id(1))),
            timeout(SECOND / 4, store.writable([0, 0])),
        );
        matches!((loaded, written), (Ok(Ok(_)), Ok(Ok(()))))
    })
    .await;
    let took = start.elapsed();
    println!("a primary that hangs was given up after {took:.1?}");
    assert!(took < 10 * SECOND, "{took:?}");
    primary.resume();
}
