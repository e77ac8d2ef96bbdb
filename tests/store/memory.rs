//! What `MemoryStore` promises beyond what every store does.

use std::time::Duration;

use tower_wx_session::store::{
    EndReason, FeedEvent, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Record, Retire,
    Revoke, RevokeReason, SessionStore, Target,
};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, SessionId};

const IDLE: Duration = Duration::from_secs(7200);
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// After its issue a session that was never used is kept for so long: late touches may come.
const KEPT: Duration = Duration::from_secs(8 * 3600);
/// Expired records that one operation may collect at most.
const COLLECTED_AT_ONCE: usize = 8;
/// Ended sessions whose reason is remembered.
const REMEMBERED: usize = 100_000;

struct Subject {
    store: MemoryStore,
    clock: ManualClock,
}

impl Subject {
    fn new() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::with_clock(clock.clone());
        Self { store, clock }
    }

    /// Inserts sessions number `numbers`, four of each user.
    async fn fill(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let user = Identity::new("appid", (number / 4).to_string());
            let now = self.clock.now();
            let record = Record::issued(user, now, LIFETIME, IDLE, None);
            let inserted = self.store.insert(Insert::new(id(number), record)).await;
            assert_eq!(inserted.expect("memory"), Inserted::Kept(vec![]));
        }
    }

    async fn load(&self, number: u64) -> Loaded {
        self.store.load(id(number)).await.expect("memory")
    }
}

/// The name of session number `number`. Users' sessions share a bucket, and all buckets are used.
fn id(number: u64) -> SessionId {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&bucket(number));
    bytes[2..10].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn bucket(number: u64) -> [u8; 2] {
    ((number / 4) as u16).to_be_bytes()
}

#[tokio::test]
async fn no_live_session_is_dropped() {
    let subject = Subject::new();
    subject.fill(0..150_000).await;
    assert_eq!(subject.store.records(), 150_000);
    subject.clock.advance(IDLE - Duration::from_millis(1));
    for number in 0..150_000 {
        assert!(matches!(subject.load(number).await, Loaded::Live(_)));
    }
}

#[tokio::test]
async fn sessions_that_expire_at_once_are_collected_without_a_pause() {
    const SESSIONS: usize = 100_000;
    let subject = Subject::new();
    subject.fill(0..SESSIONS as u64).await;
    subject.clock.advance(KEPT);

    // 64 shards, each asked in turn until it is empty.
    let most = SESSIONS / COLLECTED_AT_ONCE + 64 * 64;
    let mut held = SESSIONS;
    for operation in 0..most as u64 {
        assert_eq!(subject.load(operation * 4).await, Loaded::NeverSeen);
        let left = subject.store.records();
        assert!(held - left <= COLLECTED_AT_ONCE);
        held = left;
    }
    assert_eq!(held, 0, "after {most} operations");
}

#[tokio::test]
async fn what_grows_is_collected_as_it_grows() {
    let subject = Subject::new();
    for generation in 0..10 {
        subject
            .fill(generation * 10_000..(generation + 1) * 10_000)
            .await;
        subject.clock.advance(KEPT);
    }
    assert!(subject.store.records() <= 20_000);
}

#[tokio::test]
async fn a_look_at_an_expired_session_does_not_depend_on_who_looked_before() {
    let subject = Subject::new();
    subject.fill(0..64).await;
    subject.clock.advance(KEPT);
    // One more than is collected at once share a shard, so the last one is still there.
    for number in 0..64 {
        assert_eq!(subject.load(number).await, Loaded::NeverSeen);
        let revoke = Revoke::new(id(number), RevokeReason::LoggedOut);
        assert_eq!(subject.store.revoke(revoke).await.unwrap(), []);
        assert_eq!(subject.load(number).await, Loaded::NeverSeen);
    }
}

#[tokio::test]
async fn the_reasons_of_the_oldest_revoked_sessions_are_forgotten() {
    let subject = Subject::new();
    let revoked = REMEMBERED as u64 + 64 * 4 * 10;
    let live = revoked..revoked + 10_000;
    subject.fill(0..live.end).await;
    for number in 0..revoked {
        let revoke = Revoke::new(id(number), RevokeReason::LoggedOut);
        assert_eq!(subject.store.revoke(revoke).await.unwrap(), [id(number)]);
    }
    assert!(subject.store.records() <= REMEMBERED + 10_000);

    let remembered = Some(EndReason::LoggedOut);
    assert_eq!(subject.load(0).await, Loaded::NeverSeen);
    assert_eq!(subject.load(revoked - 1).await.end_reason(), remembered);
    let mut known = 0;
    for number in 0..revoked {
        known += usize::from(subject.load(number).await.end_reason() == remembered);
    }
    assert!((REMEMBERED - 64..=REMEMBERED).contains(&known), "{known}");
    for number in live {
        assert!(matches!(subject.load(number).await, Loaded::Live(_)));
    }
}

#[tokio::test]
async fn revoked_sessions_are_collected_after_their_absolute_end() {
    let subject = Subject::new();
    subject.fill(0..64).await;
    for number in 0..64 {
        let revoke = Revoke::new(id(number), RevokeReason::KickedOut);
        subject.store.revoke(revoke).await.unwrap();
    }
    subject.clock.advance(LIFETIME - Duration::from_millis(1));
    for number in 0..64 {
        let reason = subject.load(number).await.end_reason();
        assert_eq!(reason, Some(EndReason::KickedOut));
    }
    subject.clock.advance(Duration::from_millis(1));
    for number in 0..64 {
        assert_eq!(subject.load(number).await, Loaded::NeverSeen);
    }
    assert_eq!(subject.store.records(), 0);
}

#[tokio::test]
async fn unknown_sessions_leave_nothing_behind() {
    let subject = Subject::new();
    for number in 0..100_000 {
        assert_eq!(subject.load(number).await, Loaded::NeverSeen);
        let revoke = Revoke::new(id(number), RevokeReason::LoggedOut);
        assert_eq!(subject.store.revoke(revoke).await.unwrap(), []);
    }
    assert_eq!(subject.store.records(), 0);
}

#[tokio::test]
async fn a_session_that_was_left_alone_is_not_told_of() {
    let subject = Subject::new();
    let (mine, theirs) = (Identity::new("appid", "me"), Identity::new("appid", "you"));
    let now = subject.clock.now();
    let record = |user: &Identity| Record::issued(user.clone(), now, LIFETIME, IDLE, None);
    let other = Insert::new(id(1), record(&theirs));
    subject.store.insert(other).await.unwrap();

    let mut feed = subject.store.subscribe().await.unwrap();
    let mut insert = Insert::new(id(2), record(&mine));
    insert.retire = Some(Retire::new(id(1), IDLE));
    subject.store.insert(insert).await.unwrap();
    let revoke = Revoke::new(id(2), RevokeReason::LoggedOut);
    subject.store.revoke(revoke).await.unwrap();
    let first = feed.next().await;
    assert_eq!(first, Some(FeedEvent::Changed(vec![id(2)])));
}

#[tokio::test]
async fn records_whose_successors_go_in_a_circle_hold_up_nobody() {
    let subject = Subject::new();
    let user = Identity::new("appid", "me");
    let id = |number: u8| {
        let mut bytes = [number; 18];
        bytes[..2].copy_from_slice(&user.bucket());
        SessionId::from_bytes(bytes)
    };
    for (number, successor) in [(1, 2), (2, 1), (3, 3)] {
        let mut record = Record::issued(user.clone(), subject.clock.now(), LIFETIME, IDLE, None);
        record.retire(record.absolute_end, id(successor));
        let inserted = subject.store.insert(Insert::new(id(number), record)).await;
        assert_eq!(inserted.unwrap(), Inserted::Kept(vec![]));
    }
    let others = Target::Others {
        user: user.clone(),
        keep: id(1),
    };
    let revoke = Revoke::new(others, RevokeReason::LoggedOut);
    assert_eq!(subject.store.revoke(revoke).await.unwrap(), [id(3)]);
    let revoke = Revoke::new(id(2), RevokeReason::LoggedOut);
    assert_eq!(subject.store.revoke(revoke).await.unwrap(), [id(2), id(1)]);
}

#[tokio::test]
async fn a_node_that_falls_behind_loses_its_link_and_delays_nobody() {
    let subject = Subject::new();
    let mut behind = subject.store.subscribe().await.unwrap();
    subject.fill(0..2000).await;
    for number in 0..2000 {
        let revoke = Revoke::new(id(number), RevokeReason::LoggedOut);
        subject.store.revoke(revoke).await.unwrap();
    }
    let mut told = 0;
    while let Some(FeedEvent::Changed(ids)) = behind.next().await {
        told += ids.len();
    }
    assert!(told < 2000, "it was told of all {told}");

    let mut fresh = subject.store.subscribe().await.unwrap();
    subject.fill(2000..2001).await;
    let revoke = Revoke::new(id(2000), RevokeReason::LoggedOut);
    subject.store.revoke(revoke).await.unwrap();
    assert!(fresh.next().await.is_some());
}

#[tokio::test]
async fn clones_are_handles_to_the_same_sessions() {
    let subject = Subject::new();
    subject.fill(0..1).await;
    let loaded = subject.store.clone().load(id(0)).await.unwrap();
    assert!(matches!(loaded, Loaded::Live(_)));
    assert!(!subject.store.is_shared());
}

#[tokio::test]
async fn its_debug_shows_nothing_that_it_keeps() {
    let subject = Subject::new();
    let user = Identity::new("appid", "canary-openid");
    let put = PutSessionKey::new(user, b"canary-key".to_vec(), [1; 16], IDLE, IDLE);
    assert!(!format!("{put:?}").contains("canary-key"));
    subject.store.put_session_key(put).await.unwrap();
    assert!(!format!("{:?}", subject.store).contains("canary"));
}
