//! A load beside a plain GET.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tower_wx_session::store::{Loaded, SessionStore};

use super::records::{id, keep, key_with, user};
use crate::support::redis::RedisServer;

/// Runs `ask` 50 000 times, 64 at a time, and returns how long that took.
async fn at_once<F: Future<Output = ()> + Send + 'static>(
    ask: impl Fn(u8) -> F + Send + Sync + 'static,
) -> Duration {
    let ask = Arc::new(ask);
    let start = Instant::now();
    let workers: Vec<_> = (0..64)
        .map(|number| {
            let ask = Arc::clone(&ask);
            tokio::spawn(async move {
                for _ in 0..50_000 / 64 {
                    ask(number).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo test --release --all-features --test redis -- --ignored --nocapture"]
async fn a_load_costs_what_a_plain_get_costs() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    for number in 0..64 {
        keep(&store, &user(), number).await;
    }
    let memory: u64 = {
        let key = key_with(&client, &id(&user(), 1).to_string()).await;
        client.ask(&["MEMORY", "USAGE", &key]).await
    };
    let index: u64 = {
        let key = key_with(&client, ":u:").await;
        client.ask(&["MEMORY", "USAGE", &key]).await
    };
    let mut ratios = Vec::new();
    for round in 0..12 {
        let (loading, getting) = (store.clone(), client.clone());
        let loaded = at_once(move |number| {
            let store = loading.clone();
            async move {
                let loaded = store.load(id(&user(), number)).await.unwrap();
                assert!(matches!(loaded, Loaded::Live(_)));
            }
        });
        let got = at_once(move |number| {
            let client = getting.clone();
            async move {
                let id = id(&user(), number);
                let key = format!("wxs:{{{:04x}}}:s:{id}", u16::from_be_bytes(id.bucket()));
                let bytes: Vec<u8> = client.ask(&["GET", &key]).await;
                assert!(!bytes.is_empty());
            }
        });
        // The order alternates: whoever comes second finds everything warm.
        let (loaded, got) = if round % 2 == 0 {
            let loaded = loaded.await;
            (loaded, got.await)
        } else {
            let got = got.await;
            (loaded.await, got)
        };
        ratios.push(got.as_secs_f64() / loaded.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!("loads per second against plain GETs: {ratios:.2?}");
    println!("bytes: {memory} per record, {index} for an index of 64 sessions");
    assert!(ratios[6] >= 0.8, "{ratios:.2?}");
}
