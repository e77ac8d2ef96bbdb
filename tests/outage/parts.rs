//! A store whose parts fail one by one: what is down of it takes nobody else along, and is found
//! again by itself.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_wx_session::RejectionKind::{SessionIdleExpired, SessionRevoked, StoreUnavailable};
use tower_wx_session::sessions::Revocation;
use tower_wx_session::store::{
    AnyStore, Feed, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Record, Revoke, Rotate,
    Rotated, SessionStore, StoreError, TagKey, Target, Timestamp, Touch,
};
use tower_wx_session::test_util::{Chaos, ChaosStore, ManualClock};
use tower_wx_session::{Identity, RejectionKind, SessionId, Sessions};

use crate::support::nodes::{log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{Op, down};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How a part is.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Fine,
    Down,
    /// It can be read only.
    Full,
    Slow(Duration),
}

/// A store of two parts; buckets are in one or the other.
#[derive(Clone)]
struct Parted {
    inner: MemoryStore,
    states: Arc<Mutex<[State; 2]>>,
    /// Reads that came to each part.
    reads: Arc<[AtomicUsize; 2]>,
}

const fn half(bucket: [u8; 2]) -> usize {
    bucket[0] as usize % 2
}

impl Parted {
    fn new(clock: &ManualClock) -> Self {
        Self {
            inner: MemoryStore::with_clock(clock.clone()),
            states: Arc::default(),
            reads: Arc::default(),
        }
    }

    fn set(&self, half: usize, state: State) {
        self.states.lock().unwrap()[half] = state;
    }

    async fn read<T>(
        &self,
        bucket: [u8; 2],
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.reads[half(bucket)].fetch_add(1, Ordering::SeqCst);
        let state = self.states.lock().unwrap()[half(bucket)];
        match state {
            State::Down => return Err(down()),
            State::Slow(span) => sleep(span).await,
            State::Fine | State::Full => {}
        }
        read.await
    }

    async fn write<T>(
        &self,
        bucket: [u8; 2],
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let state = self.states.lock().unwrap()[half(bucket)];
        match state {
            State::Full => Err(down()),
            _ => self.read(bucket, write).await,
        }
    }
}

impl SessionStore for Parted {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        self.write(insert.id.bucket(), self.inner.insert(insert))
            .await
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        self.read(id.bucket(), self.inner.load(id)).await
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        self.write(touch.id.bucket(), self.inner.touch(touch)).await
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        self.write(rotate.old.bucket(), self.inner.rotate(rotate))
            .await
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        let bucket = match &revoke.target {
            Target::Session(id) => id.bucket(),
            Target::User(user) => user.bucket(),
            other => panic!("{other:?}"),
        };
        self.write(bucket, self.inner.revoke(revoke)).await
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        self.read(user.bucket(), self.inner.list(user)).await
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        self.write(put.user.bucket(), self.inner.put_session_key(put))
            .await
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(user.bucket(), self.inner.session_keys(user))
            .await
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        self.inner.tag_keys(offer).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.inner.now().await
    }

    async fn writable(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        let written = self.write(bucket, async { Ok(()) }).await;
        match self.states.lock().unwrap()[half(bucket)] {
            State::Full => Err(StoreError::unwritten()),
            _ => written,
        }
    }

    async fn reach(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        self.read(bucket, async { Ok(()) }).await
    }

    fn part(&self, bucket: [u8; 2]) -> u64 {
        half(bucket) as u64 + 1
    }

    /// A link needs all parts.
    async fn subscribe(&self) -> Result<Feed, StoreError> {
        for bucket in [[0, 0], [1, 0]] {
            self.read(bucket, async { Ok(()) }).await?;
        }
        self.inner.subscribe().await
    }
}

/// So many users of one half.
fn users(of: usize, number: usize) -> Vec<Identity> {
    let users = (0..).map(|number| Identity::new("appid", format!("user-{number}")));
    users
        .filter(|user| half(user.bucket()) == of)
        .take(number)
        .collect()
}

/// Tokens of so many users of one half, issued by a node.
async fn tokens(sessions: &Sessions<Parted>, of: usize, number: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for user in users(of, number) {
        let issued = sessions.issue(user).await.unwrap();
        tokens.push(issued.token().expose().to_owned());
    }
    settle().await;
    tokens
}

/// What checks come to, all at once.
async fn refusals(sessions: &Sessions<Parted>, tokens: &[String]) -> Vec<Option<RejectionKind>> {
    let mut refusals = Vec::new();
    for token in tokens {
        refusals.push(refusal(sessions, token).await);
    }
    refusals
}

#[tokio::test(start_paused = true)]
async fn the_users_of_the_other_part_notice_nothing() {
    let clock = ManualClock::new();
    let store = Parted::new(&clock);
    let issuing = node(&store, &clock);
    let (dead, living) = (tokens(&issuing, 0, 40).await, tokens(&issuing, 1, 40).await);
    let sessions = node(&store, &clock);
    assert_eq!(refusals(&sessions, &living[..1]).await, [None]);
    for state in [State::Down, State::Slow(MINUTE)] {
        store.set(0, state);
        for nodes in [&sessions, &node(&store, &clock)] {
            for (dead, living) in dead.chunks(2).zip(&living) {
                assert_eq!(refusals(nodes, dead).await, [Some(StoreUnavailable); 2]);
                let asked = Instant::now();
                assert_eq!(refusal(nodes, living).await, None);
                assert_eq!(asked.elapsed(), Duration::ZERO);
            }
            for user in users(1, 5) {
                nodes.issue(user).await.unwrap();
            }
            let asked = Instant::now();
            assert!(nodes.issue(users(0, 1).remove(0)).await.is_err());
            assert_eq!(asked.elapsed(), Duration::ZERO, "it is known to be down");
        }
        store.set(0, State::Fine);
        sleep(SECOND).await;
        assert_eq!(refusals(&sessions, &dead).await, vec![None; 40]);
        clock.advance(MINUTE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_is_ready_unless_all_parts_are_down_or_one_refuses_writes() {
    for (states, is_ready) in [
        ([State::Fine, State::Fine], true),
        ([State::Fine, State::Down], true),
        ([State::Slow(MINUTE), State::Fine], true),
        ([State::Down, State::Down], false),
        ([State::Full, State::Fine], false),
        ([State::Fine, State::Full], false),
    ] {
        let clock = ManualClock::new();
        let store = Parted::new(&clock);
        *store.states.lock().unwrap() = states;
        let sessions = node(&store, &clock);
        assert_eq!(sessions.ready().await.is_ok(), is_ready, "{states:?}");
    }
}

#[tokio::test]
async fn a_store_in_another_has_the_same_parts() {
    let store = Parted::new(&ManualClock::new());
    let any = AnyStore::new(ChaosStore::new(store.clone(), Chaos::seeded(1)));
    for bucket in [[0, 1], [1, 0]] {
        assert_eq!(any.part(bucket), store.part(bucket));
        any.reach(bucket).await.unwrap();
        assert_eq!(store.reads[half(bucket)].load(Ordering::SeqCst), 1);
    }
}

/// What is down is tried by one check at a time, a few times a second, and what answers is left alone.
#[tokio::test(start_paused = true)]
async fn each_part_is_tried_by_itself() {
    let clock = ManualClock::new();
    let store = Parted::new(&clock);
    let issuing = node(&store, &clock);
    let both = [tokens(&issuing, 0, 6).await, tokens(&issuing, 1, 6).await];
    let sessions = node(&store, &clock);
    for (half, tokens) in both.iter().enumerate() {
        store.set(half, State::Down);
        refusals(&sessions, tokens).await;
    }
    let reads = || [0, 1].map(|half: usize| store.reads[half].load(Ordering::SeqCst));
    let before = reads();
    let until = Instant::now() + MINUTE;
    while Instant::now() < until {
        for tokens in &both {
            assert_eq!(refusal(&sessions, &tokens[0]).await, Some(StoreUnavailable));
        }
        sleep(SECOND / 50).await;
    }
    for (after, before) in reads().into_iter().zip(before) {
        let tries = after - before;
        assert!((60..=300).contains(&tries), "{tries} in a minute");
    }
    store.set(1, State::Fine);
    sleep(SECOND).await;
    assert_eq!(refusals(&sessions, &both[1]).await, [None; 6]);
    assert_eq!(
        refusal(&sessions, &both[0][0]).await,
        Some(StoreUnavailable)
    );
    store.set(0, State::Fine);
    sleep(SECOND).await;
    assert_eq!(refusals(&sessions, &both[0]).await, [None; 6]);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_is_written_when_its_part_is_back() {
    let clock = ManualClock::new();
    let store = Parted::new(&clock);
    let sessions = node(&store, &clock);
    let dead = tokens(&node(&store, &clock), 0, 10).await;
    assert_eq!(refusal(&sessions, &dead[9]).await, None);
    store.set(0, State::Down);
    refusals(&sessions, &dead[..5]).await;

    let [one, other] = [0, 1].map(|half| users(half, 10).remove(9));
    let pending = sessions.revoke_user(&one).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    let done = sessions.revoke_user(&other).await.unwrap();
    assert_eq!(done, Revocation::Done(0));
    sleep(MINUTE).await;
    assert_eq!(refusal(&sessions, &dead[9]).await, Some(SessionRevoked));
    store.set(0, State::Fine);
    sleep(SECOND).await;
    let elsewhere = node(&store, &clock);
    assert_eq!(refusal(&elsewhere, &dead[9]).await, Some(SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn a_session_of_the_other_part_is_idle_all_the_same() {
    let clock = ManualClock::new();
    let store = Parted::new(&clock);
    let short = |builder: tower_wx_session::sessions::SessionsBuilder<Parted>| {
        builder.idle_timeout(10 * SECOND)
    };
    let sessions = node_with(&store, &clock, short);
    let both = [tokens(&sessions, 0, 1).await, tokens(&sessions, 1, 1).await].concat();
    assert_eq!(refusals(&sessions, &both).await, [None; 2]);
    // The one part takes no writes: what was used meanwhile may be told of later.
    store.set(0, State::Full);
    clock.advance(2 * SECOND);
    assert_eq!(refusals(&sessions, &both).await, [None; 2]);
    settle().await;
    clock.advance(12 * SECOND);
    let elsewhere = node_with(&store, &clock, short);
    for half in [0, 1] {
        assert!(elsewhere.issue(users(half, 2).remove(1)).await.is_err() == (half == 0));
    }
    assert_eq!(
        refusals(&elsewhere, &both).await,
        [Some(StoreUnavailable), Some(SessionIdleExpired)]
    );
}

#[tokio::test(start_paused = true)]
async fn loads_of_a_slow_part_leave_turns_for_the_others() {
    let clock = ManualClock::new();
    let store = Parted::new(&clock);
    let issuing = node(&store, &clock);
    let (slow, fast) = (tokens(&issuing, 0, 40).await, tokens(&issuing, 1, 8).await);
    let sessions = node_with(&store, &clock, |builder| builder.loads_in_flight(4));
    assert_eq!(refusal(&sessions, &fast[0]).await, None);
    store.set(0, State::Slow(Duration::from_millis(200)));
    let mut waiting = JoinSet::new();
    for token in slow {
        let sessions = sessions.clone();
        waiting.spawn(async move { sessions.check(&token).await.is_ok() });
    }
    settle().await;
    let asked = Instant::now();
    assert_eq!(refusals(&sessions, &fast[1..]).await, [None; 7]);
    assert_eq!(asked.elapsed(), Duration::ZERO);
    let passed = waiting.join_all().await;
    assert_eq!(passed.iter().filter(|passed| **passed).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_link_may_take_longer_to_open_than_a_request_waits() {
    let (clock, store) = store_on_a_clock();
    let store = store.before(|op| async move {
        if op == Op::Subscribe {
            sleep(4 * SECOND).await;
        }
        Ok(())
    });
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    sleep(5 * SECOND).await;
    // What was issued before the link counts for 3 s, and is confirmed then.
    clock.advance(3 * SECOND);
    assert_eq!(refusal(&sessions, &token).await, None);
    // Good for 30 s with a link, for 3 s without.
    let loads = store.calls(Op::Load);
    clock.advance(10 * SECOND);
    assert_eq!(refusal(&sessions, &token).await, None);
    assert_eq!(store.calls(Op::Load), loads);
}
