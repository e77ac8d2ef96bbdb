//! A server that is down, hangs, refuses or is to be trusted.

use std::fs;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tower_wx_session::store::{Loaded, RedisStore, SessionStore, StoreErrorKind};
#[cfg(feature = "tracing")]
use tracing::Level;

use super::link::beats;
use super::records::{DEADLINE, SECOND, id, keep, kind, logout, new_session, user};
#[cfg(feature = "tracing")]
use crate::support::log::Log;
use crate::support::redis::{RedisServer, directory, free_port, path, store};
use crate::support::resp2::RESP2_ONLY;

#[tokio::test]
async fn a_script_that_the_server_has_lost_is_sent_again() {
    let server = RedisServer::start().await;
    let store = server.store();
    keep(&store, &user(), 1).await;
    let () = server.client().await.ask(&["SCRIPT", "FLUSH"]).await;
    keep(&store, &user(), 2).await;
    assert_eq!(store.list(user()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn dropped_operations_harm_no_other() {
    let server = RedisServer::start().await;
    let store = server.store();
    let (id, record) = keep(&store, &user(), 1).await;
    for pause in 0..200 {
        let span = Duration::from_micros(pause);
        let _ = timeout(span, store.list(user())).await;
        let _ = timeout(span, store.now()).await;
    }
    assert_eq!(store.load(id).await.unwrap(), Loaded::Live(record));
}

#[tokio::test]
async fn a_server_that_is_down_fails_operations_until_it_is_back() {
    let server = RedisServer::start().await;
    let store = server.store();
    let (id, _) = keep(&store, &user(), 1).await;
    for _ in 0..2 {
        server.kill();
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(kind(store.load(id).await), StoreErrorKind::Unavailable);
        }
        assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
        server.restart().await;
        works_within(&store, SECOND).await;
    }
}

/// The store works again within this time, as a caller with a deadline sees it.
async fn works_within(store: &RedisStore, span: Duration) {
    let start = Instant::now();
    loop {
        let loaded = timeout(DEADLINE, store.load(id(&user(), 1))).await;
        if loaded.is_ok_and(|loaded| loaded.is_ok()) {
            return;
        }
        assert!(start.elapsed() < span, "{:?}", start.elapsed());
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_comes_back_with_or_without_its_connection() {
    let server = RedisServer::start().await;
    let store = server.store();
    for hangs in [SECOND / 2, 3 * SECOND] {
        works_within(&store, SECOND).await;
        server.pause();
        let start = Instant::now();
        while start.elapsed() < hangs {
            let loaded = timeout(DEADLINE, store.load(id(&user(), 1))).await;
            assert!(!loaded.is_ok_and(|loaded| loaded.is_ok()));
            sleep(Duration::from_millis(5)).await;
        }
        server.resume();
        works_within(&store, SECOND).await;
    }
}

#[tokio::test]
async fn a_store_can_be_made_before_its_server() {
    let port = free_port();
    let store = store(&format!("redis://:secret@127.0.0.1:{port}"));
    assert!(!format!("{store:?}").contains("secret"));
    let error = store.now().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[test]
fn connections_end_with_their_runtime_and_the_store_does_not() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let server = first.block_on(RedisServer::start());
    let store = server.store();
    let (id, record) = first.block_on(keep(&store, &user(), 1));
    drop(first);
    let loaded = runtime().block_on(store.load(id)).unwrap();
    assert_eq!(loaded, Loaded::Live(record));
}

#[tokio::test]
async fn what_a_server_refuses_is_no_fact_about_a_session() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (id, _) = keep(&store, &user(), 1).await;
    let () = client.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let insert = new_session(&store, &user(), 2).await.0;
    let error = store.insert(insert).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(format!("{error:?}").contains("OOM"), "{error:?}");
    assert!(matches!(store.load(id).await.unwrap(), Loaded::Live(_)));

    let () = client.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let () = client
        .ask(&["CONFIG", "SET", "min-replicas-to-write", "1"])
        .await;
    let error = store.revoke(logout(id)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(format!("{error:?}").contains("NOREPLICAS"), "{error:?}");
    let () = client
        .ask(&["CONFIG", "SET", "min-replicas-to-write", "0"])
        .await;
    assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
}

#[tokio::test]
async fn rediss_encrypts_and_checks_the_server() {
    encrypt_and_check(&[]).await;
}

#[tokio::test]
async fn rediss_encrypts_and_checks_the_server_over_resp2() {
    encrypt_and_check(&RESP2_ONLY).await;
}

async fn encrypt_and_check(more: &[&str]) {
    let directory = directory();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap();
    let certificate = certificate.self_signed(&key).unwrap().pem();
    let (cert_file, key_file) = (directory.join("cert.pem"), directory.join("key.pem"));
    fs::write(&cert_file, &certificate).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let port = free_port();
    let tls_port = port.to_string();
    let server = RedisServer::start_on(
        port,
        &[
            &[
                "--tls-port",
                &tls_port,
                "--port",
                "0",
                "--tls-cert-file",
                path(&cert_file),
                "--tls-key-file",
                path(&key_file),
                "--tls-auth-clients",
                "no",
            ],
            more,
        ]
        .concat(),
    )
    .await;
    let url = format!("rediss://127.0.0.1:{}", server.port);
    let trusting = RedisStore::builder(&url)
        .tls_authorities(certificate)
        .build()
        .unwrap();
    keep(&trusting, &user(), 1).await;
    let mut feed = trusting.subscribe().await.unwrap();
    beats(&mut feed).await;

    let error = store(&url).now().await.unwrap_err();
    assert!(format!("{error:?}").contains("ertificate"), "{error:?}");
    assert_eq!(
        kind(server.store().now().await),
        StoreErrorKind::Unavailable
    );
    fs::remove_dir_all(directory).unwrap();
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_server_that_may_evict_is_warned_of_once() {
    let (log, _guard) = Log::from(Level::INFO);
    let warnings = || log.text().matches("may evict sessions").count();
    for (policy, expected) in [("noeviction", 0), ("allkeys-lru", 1), ("volatile-ttl", 2)] {
        let server = RedisServer::start_with(&["--maxmemory-policy", policy]).await;
        let store = server.store();
        for _ in 0..3 {
            keep_any(&store).await;
            server.kill();
            server.restart().await;
        }
        sleep(DEADLINE).await;
        assert_eq!(warnings(), expected, "{policy}");
    }
}

#[cfg(feature = "tracing")]
async fn keep_any(store: &RedisStore) {
    works_within(store, SECOND).await;
    sleep(DEADLINE / 5).await;
}
