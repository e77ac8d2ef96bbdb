//! The store that fails on command does just what it is told.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tower_wx_session::store::{
    EndReason, Feed, FeedEvent, Insert, Inserted, Loaded, MemoryStore, Record, Revoke,
    RevokeReason, Rotate, Rotated, SessionStore,
};
use tower_wx_session::test_util::conformance::{self, Fixture};
use tower_wx_session::test_util::{Chaos, ChaosStore, ManualClock};
use tower_wx_session::{Identity, SessionId};

const SECOND: Duration = Duration::from_secs(1);

fn store() -> (ChaosStore<MemoryStore>, Chaos) {
    let chaos = Chaos::seeded(1);
    (ChaosStore::new(MemoryStore::new(), chaos.clone()), chaos)
}

fn alice() -> Identity {
    Identity::new("appid", "alice")
}

fn id(number: u8) -> SessionId {
    let mut bytes = [number; 18];
    bytes[..2].copy_from_slice(&alice().bucket());
    SessionId::from_bytes(bytes)
}

async fn insert<S: SessionStore>(store: &S, id: SessionId) -> Result<Inserted, String> {
    let now = store.now().await.map_err(|error| error.to_string())?;
    let record = Record::issued(alice(), now, 1000 * SECOND, 100 * SECOND, None);
    let inserted = store.insert(Insert::new(id, record)).await;
    inserted.map_err(|error| error.to_string())
}

async fn is_live(store: &ChaosStore<MemoryStore>, id: SessionId) -> bool {
    matches!(store.load(id).await.unwrap(), Loaded::Live(_))
}

/// A store without faults, on a clock that stands still.
struct Calm {
    store: ChaosStore<MemoryStore>,
    clock: ManualClock,
}

impl Fixture for Calm {
    type Store = ChaosStore<MemoryStore>;

    fn store(&self) -> Self::Store {
        self.store.clone()
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(1)
    }

    async fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_chaos_it_is_a_store_like_any_other() {
    let clock = ManualClock::new();
    let store = ChaosStore::new(MemoryStore::with_clock(clock.clone()), Chaos::seeded(1));
    conformance::run(&Calm { store, clock }).await;
}

#[tokio::test(start_paused = true)]
async fn operations_are_delayed_and_hang() {
    let (store, chaos) = store();
    chaos.delay(SECOND);
    let asked = Instant::now();
    store.now().await.unwrap();
    assert_eq!(asked.elapsed(), SECOND);
    chaos.hang();
    assert!(timeout(1000 * SECOND, store.now()).await.is_err());
    chaos.calm();
    let asked = Instant::now();
    store.now().await.unwrap();
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn the_same_seed_fails_the_same_operations() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let chaos = Chaos::seeded(seed);
        let store = ChaosStore::new(MemoryStore::new(), chaos.clone());
        chaos.fail(30);
        let mut run = Vec::new();
        for _ in 0..1000 {
            run.push(store.now().await.is_err());
        }
        let failed = run.iter().filter(|failed| **failed).count();
        assert!((250..350).contains(&failed), "{failed} of 1000");
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_lost_write_is_acknowledged_and_not_done() {
    let (store, chaos) = store();
    insert(&store, id(1)).await.unwrap();
    chaos.lose_writes();
    assert_eq!(insert(&store, id(2)).await, Ok(Inserted::Kept(Vec::new())));
    let rotated = store.rotate(Rotate::new(id(1), id(3), SECOND)).await;
    assert!(matches!(rotated, Ok(Rotated::Done(_))));
    let revoke = Revoke::new(id(1), RevokeReason::LoggedOut);
    store.revoke(revoke).await.unwrap();
    chaos.calm();
    assert!(is_live(&store, id(1)).await);
    assert_eq!(store.load(id(2)).await.unwrap(), Loaded::NeverSeen);
    assert_eq!(store.load(id(3)).await.unwrap(), Loaded::NeverSeen);
}

#[tokio::test]
async fn a_lost_answer_is_an_error_of_what_was_done() {
    let (store, chaos) = store();
    insert(&store, id(1)).await.unwrap();
    chaos.lose_answers();
    let revoke = Revoke::new(id(1), RevokeReason::LoggedOut);
    store.revoke(revoke).await.unwrap_err();
    chaos.calm();
    let loaded = store.load(id(1)).await.unwrap();
    assert_eq!(loaded.end_reason(), Some(EndReason::LoggedOut));
}

#[tokio::test]
async fn links_are_cut_and_come_back() {
    async fn next(feed: &mut Feed) -> Option<FeedEvent> {
        timeout(SECOND, feed.next()).await.unwrap()
    }
    let (store, chaos) = store();
    insert(&store, id(1)).await.unwrap();
    let mut feed = store.subscribe().await.unwrap();
    let revoke = Revoke::new(id(1), RevokeReason::LoggedOut);
    store.revoke(revoke).await.unwrap();
    assert_eq!(next(&mut feed).await, Some(FeedEvent::Changed(vec![id(1)])));
    chaos.cut_links();
    assert_eq!(next(&mut feed).await, None);
    store.subscribe().await.unwrap_err();
    chaos.calm();
    store.subscribe().await.unwrap();
}
