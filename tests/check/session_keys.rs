//! Sessions that end with their session_key: who is asked about, when, and what changes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tower_wx_session::RejectionKind::SessionKeyExpired;
use tower_wx_session::login::{SessionKeyCheck, Validity};
use tower_wx_session::sessions::{KeyCheckPolicy, SessionsBuilder};
use tower_wx_session::store::{MemoryStore, PutSessionKey, SessionStore};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, SessionKey, Sessions};

use crate::support::nodes::{alice, log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op, down};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// Ten days, which no session here idles for.
const LONG: Duration = Duration::from_secs(864_000);

/// What the platform does with a call.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Valid,
    Over,
    CannotTell,
    /// It answers when there is a permit: that the key is over.
    Waits,
    Panics,
}

/// Counts, and answers as it is told.
#[derive(Clone)]
struct Platform(Arc<State>);

struct State {
    mood: Mutex<Mood>,
    /// The keys that it was asked about.
    asked: Mutex<Vec<(String, String)>>,
    permits: Semaphore,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
}

impl Platform {
    fn new(mood: Mood) -> Self {
        Self(Arc::new(State {
            mood: mood.into(),
            asked: Mutex::default(),
            permits: Semaphore::new(0),
            in_flight: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }))
    }

    fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        self.0.asked.lock().unwrap().len()
    }

    fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::SeqCst)
    }

    fn answers(&self) {
        self.0.permits.add_permits(1);
    }
}

/// A call that goes on; dropped when it is answered or given up.
struct Call<'a>(&'a State);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl SessionKeyCheck for Platform {
    async fn check_session_key(&self, user: &Identity, key: &SessionKey) -> Validity {
        let question = (user.openid().to_owned(), key.expose().to_owned());
        self.0.asked.lock().unwrap().push(question);
        let in_flight = 1 + self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        self.0.peak.fetch_max(in_flight, Ordering::SeqCst);
        let _call = Call(&self.0);
        let mood = *self.0.mood.lock().unwrap();
        match mood {
            Mood::Valid => Validity::Valid,
            Mood::Over => Validity::Over,
            Mood::CannotTell => Validity::cannot_tell("the test has it busy"),
            Mood::Waits => {
                self.0.permits.acquire().await.unwrap().forget();
                Validity::Over
            }
            Mood::Panics => panic!("a checker with a fault"),
        }
    }
}

/// A fleet, of which a node knows no session at the beginning.
struct Fleet {
    clock: ManualClock,
    store: HookedStore,
    platform: Platform,
}

impl Fleet {
    fn new(mood: Mood) -> Self {
        Self::on(mood, |store| store)
    }

    fn on(mood: Mood, hook: impl FnOnce(HookedStore) -> HookedStore) -> Self {
        let (clock, store) = store_on_a_clock();
        Self {
            clock,
            store: hook(store),
            platform: Platform::new(mood),
        }
    }

    fn node(&self) -> Sessions<HookedStore> {
        self.node_with(|builder| builder)
    }

    fn node_with(
        &self,
        configure: impl FnOnce(SessionsBuilder<HookedStore>) -> SessionsBuilder<HookedStore>,
    ) -> Sessions<HookedStore> {
        node_with(&self.store, &self.clock, |builder| {
            let builder = builder
                .idle_timeout(LONG)
                .following_session_keys(self.platform.clone());
            configure(builder)
        })
    }

    /// Keeps the key of a login that begins now.
    async fn put_key(&self, user: &Identity, key: &str) {
        let mut fingerprint = [0; 16];
        fingerprint[..key.len()].copy_from_slice(key.as_bytes());
        let put = PutSessionKey::new(user.clone(), key.into(), fingerprint, LONG, HOUR);
        self.store.inner.put_session_key(put).await.unwrap();
    }

    /// A login with a session_key.
    async fn log_in(&self, sessions: &Sessions<HookedStore>, key: &str) -> String {
        self.put_key(&alice(), key).await;
        log_in(sessions).await
    }

    /// Lets an interval pass, in which nobody uses a session.
    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
        settle().await;
    }
}

/// Uses a session that the node reads from the store for it; what is begun then has its end.
async fn use_session(sessions: &Sessions<HookedStore>, token: &str) {
    assert_eq!(refusal(sessions, token).await, None, "requests do not wait");
    settle().await;
}

#[tokio::test]
async fn a_session_whose_key_is_over_is_refused_for_a_reason_of_its_own() {
    let fleet = Fleet::new(Mood::Over);
    let sessions = fleet.node();
    let issued = sessions.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    fleet.put_key(&alice(), "one").await;
    let ended = tokio::spawn(sessions.ended(issued.session().id()));
    settle().await;
    fleet.clock.advance(HOUR);
    use_session(&sessions, token).await;
    assert_eq!(refusal(&sessions, token).await, Some(SessionKeyExpired));
    assert_eq!(refusal(&fleet.node(), token).await, Some(SessionKeyExpired));
    assert_eq!(ended.await.unwrap().kind(), SessionKeyExpired);
    let asked = fleet.platform.0.asked.lock().unwrap().clone();
    assert_eq!(asked, [("alice".to_owned(), "one".to_owned())]);
}

#[tokio::test]
async fn without_the_option_nobody_asks() {
    let fleet = Fleet::new(Mood::Over);
    let sessions = node(&fleet.store, &fleet.clock);
    let token = fleet.log_in(&sessions, "one").await;
    fleet.pass(HOUR).await;
    use_session(&sessions, &token).await;
    assert_eq!(fleet.store.calls(Op::SessionKeys), 0);
}

#[tokio::test]
async fn a_user_is_asked_about_once_in_an_interval_however_many_sessions_and_reads_there_are() {
    let fleet = Fleet::new(Mood::Valid);
    let sessions = fleet.node();
    let tokens = [
        fleet.log_in(&sessions, "one").await,
        fleet.log_in(&sessions, "two").await,
    ];
    for interval in 1..=3 {
        fleet.pass(HOUR / 2).await;
        for _ in 0..50 {
            fleet.pass(35 * SECOND).await;
            for token in &tokens {
                use_session(&sessions, token).await;
            }
        }
        fleet.pass(HOUR / 2 - 50 * 35 * SECOND).await;
        for token in &tokens {
            use_session(&sessions, token).await;
        }
        assert_eq!(fleet.platform.asked(), interval);
    }
    let asked = fleet.platform.0.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(_, key)| key == "two"), "the newest");
}

#[tokio::test]
async fn a_hit_asks_nobody() {
    let fleet = Fleet::new(Mood::Valid);
    let often = KeyCheckPolicy::default().with_interval(10 * SECOND);
    let sessions = fleet.node_with(|builder| builder.key_check_policy(often));
    let token = fleet.log_in(&sessions, "one").await;
    fleet.pass(35 * SECOND).await;
    use_session(&sessions, &token).await;
    assert_eq!(fleet.platform.asked(), 1, "it was read");
    for _ in 0..20 {
        fleet.pass(SECOND).await;
        use_session(&sessions, &token).await;
    }
    assert_eq!(fleet.platform.asked(), 1, "due, and in use");
    fleet.pass(10 * SECOND).await;
    use_session(&sessions, &token).await;
    assert_eq!(fleet.platform.asked(), 2, "read again");
}

#[tokio::test]
async fn a_session_younger_than_an_interval_is_not_asked_about() {
    let fleet = Fleet::new(Mood::Over);
    let sessions = fleet.node();
    fleet.pass(2 * HOUR).await;
    let token = fleet.log_in(&sessions, "one").await;
    fleet.pass(HOUR - SECOND).await;
    use_session(&sessions, &token).await;
    assert_eq!(fleet.platform.asked(), 0);
    fleet.pass(31 * SECOND).await;
    use_session(&sessions, &token).await;
    assert_eq!(refusal(&sessions, &token).await, Some(SessionKeyExpired));
}

#[tokio::test]
async fn a_node_that_begins_spreads_its_first_questions_over_an_interval() {
    let fleet = Fleet::new(Mood::Valid);
    let other = node_with(&fleet.store, &fleet.clock, |builder| {
        builder.idle_timeout(LONG)
    });
    let mut tokens = Vec::new();
    for number in 0..200 {
        let user = Identity::new("appid", format!("user {number}"));
        fleet.put_key(&user, "key").await;
        tokens.push(other.issue(user).await.unwrap().token().expose().to_owned());
    }
    fleet.pass(2 * HOUR).await;
    let fast = KeyCheckPolicy::default().with_calls_per_second(1000);
    let sessions = fleet.node_with(|builder| builder.key_check_policy(fast));
    let mut begun = Vec::new();
    for _ in 0..4 {
        for token in &tokens {
            fleet.clock.advance(Duration::from_millis(1));
            use_session(&sessions, token).await;
        }
        begun.push(fleet.platform.asked());
        fleet.pass(HOUR / 4).await;
    }
    assert!(begun[0] <= 5, "{begun:?}");
    let grows = begun
        .windows(2)
        .all(|pair| (25..=80).contains(&(pair[1] - pair[0])));
    assert!(grows, "{begun:?}");
}

#[tokio::test]
async fn what_is_no_answer_changes_nothing() {
    for mood in [Mood::Valid, Mood::CannotTell, Mood::Panics, Mood::Waits] {
        let fleet = Fleet::new(mood);
        let sessions = fleet.node();
        let token = fleet.log_in(&sessions, "one").await;
        for asked in 1..=3 {
            fleet.pass(HOUR).await;
            use_session(&sessions, &token).await;
            assert_eq!(fleet.platform.asked(), asked);
            // What hangs is given up.
            fleet.pass(10 * SECOND).await;
            assert_eq!(fleet.platform.in_flight(), 0);
        }
        assert_eq!(fleet.store.calls(Op::Revoke), 0);
        assert_eq!(refusal(&sessions, &token).await, None);
    }
}

#[tokio::test]
async fn a_user_without_a_key_is_not_asked_about() {
    let fleet = Fleet::new(Mood::Over);
    let sessions = fleet.node();
    let token = log_in(&sessions).await;
    fleet.pass(HOUR).await;
    use_session(&sessions, &token).await;
    assert_eq!(fleet.platform.asked(), 0);
    assert_eq!(refusal(&sessions, &token).await, None);
}

/// A platform beside that of the users.
struct Other(Platform);

impl SessionKeyCheck for Other {
    async fn check_session_key(&self, user: &Identity, key: &SessionKey) -> Validity {
        self.0.check_session_key(user, key).await
    }

    fn knows(&self, appid: &str) -> bool {
        appid.starts_with("qq:")
    }
}

#[tokio::test]
async fn users_of_an_app_that_the_platform_does_not_know_are_not_asked_about() {
    let fleet = Fleet::new(Mood::Over);
    let other = Other(fleet.platform.clone());
    let node = fleet.node_with(|builder| builder.following_session_keys(other));
    let token = fleet.log_in(&node, "k1").await;
    fleet.pass(2 * HOUR).await;
    use_session(&node, &token).await;
    fleet.pass(2 * HOUR).await;
    use_session(&node, &token).await;
    assert_eq!(fleet.platform.asked(), 0);
}

#[tokio::test]
async fn a_store_that_fails_meanwhile_changes_nothing() {
    // The first look at the keys, the second one, the write.
    for (op, passes) in [(Op::SessionKeys, 0), (Op::SessionKeys, 1), (Op::Revoke, 0)] {
        let left = Arc::new(AtomicUsize::new(passes));
        let fleet = Fleet::on(Mood::Over, |store| {
            store.before(move |called| {
                let passes = called != op
                    || left
                        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                            left.checked_sub(1)
                        })
                        .is_ok();
                async move { if passes { Ok(()) } else { Err(down()) } }
            })
        });
        let sessions = fleet.node();
        let token = fleet.log_in(&sessions, "one").await;
        fleet.pass(HOUR).await;
        use_session(&sessions, &token).await;
        assert_eq!(refusal(&sessions, &token).await, None);
        assert_eq!(refusal(&fleet.node(), &token).await, None);
        sessions.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn who_logs_in_before_the_answer_stays_and_so_do_the_user_s_other_sessions() {
    let fleet = Fleet::new(Mood::Waits);
    let sessions = fleet.node();
    let old = fleet.log_in(&sessions, "one").await;
    fleet.pass(HOUR).await;
    use_session(&sessions, &old).await;
    fleet.clock.advance(SECOND);
    let new = fleet.log_in(&fleet.node(), "two").await;
    fleet.platform.answers();
    settle().await;
    assert_eq!(fleet.platform.asked(), 1);
    for token in [&old, &new] {
        assert_eq!(refusal(&sessions, token).await, None);
    }
    assert_eq!(fleet.store.calls(Op::Revoke), 0);
}

#[tokio::test]
async fn who_logs_in_between_the_answer_and_the_end_stays() {
    // Whoever logs in there has a clock that is behind by so much.
    for behind in [0, 4] {
        let gate = Arc::new(Semaphore::new(0));
        let entry = Arc::clone(&gate);
        let fleet = Fleet::on(Mood::Over, |store| {
            store.before(move |op| {
                let entry = Arc::clone(&entry);
                async move {
                    if op == Op::Revoke {
                        entry.acquire().await.unwrap().forget();
                    }
                    Ok(())
                }
            })
        });
        let sessions = fleet.node_with(|builder| builder.store_deadline(60 * SECOND));
        let old = fleet.log_in(&sessions, "one").await;
        fleet.pass(HOUR - behind * SECOND).await;
        let early = fleet.log_in(&fleet.node(), "one").await;
        fleet.pass(behind * SECOND).await;
        use_session(&sessions, &old).await;
        assert_eq!(fleet.store.calls(Op::Revoke), 1, "the end is on its way");
        let new = fleet.log_in(&fleet.node(), "two").await;
        gate.add_permits(1);
        settle().await;
        assert_eq!(refusal(&sessions, &old).await, Some(SessionKeyExpired));
        for token in [&early, &new] {
            assert_eq!(refusal(&sessions, token).await, None);
            assert_eq!(refusal(&fleet.node(), token).await, None);
        }
    }
}

#[tokio::test]
async fn each_node_asks_for_itself_and_all_refuse_what_one_has_found_over() {
    let fleet = Fleet::new(Mood::Valid);
    let nodes = [fleet.node(), fleet.node()];
    let token = fleet.log_in(&nodes[0], "one").await;
    fleet.pass(HOUR).await;
    for sessions in &nodes {
        use_session(sessions, &token).await;
    }
    assert_eq!(fleet.platform.asked(), 2);
    fleet.platform.is(Mood::Over);
    fleet.pass(HOUR).await;
    use_session(&nodes[1], &token).await;
    for sessions in &nodes {
        assert_eq!(refusal(sessions, &token).await, Some(SessionKeyExpired));
    }
    assert_eq!(fleet.platform.asked(), 3);
}

#[tokio::test]
async fn ten_thousand_users_at_once_wait_within_the_bounds() {
    let fleet = Fleet::new(Mood::Waits);
    let other = node_with(&fleet.store, &fleet.clock, |builder| {
        builder.idle_timeout(LONG)
    });
    let policy = KeyCheckPolicy::default().with_waiting(100);
    let sessions = fleet.node_with(|builder| builder.key_check_policy(policy));
    let mut tokens = Vec::new();
    for number in 0..10_000 {
        let user = Identity::new("appid", format!("user {number}"));
        fleet.put_key(&user, "key").await;
        tokens.push(other.issue(user).await.unwrap().token().expose().to_owned());
    }
    fleet.pass(HOUR).await;
    for token in &tokens {
        assert_eq!(refusal(&sessions, token).await, None);
    }
    // No more than 20 a second begin, and no more than 8 at the same time.
    for second in 1..=20 {
        let before = fleet.platform.asked();
        for _ in 0..20 {
            fleet.platform.answers();
            fleet.pass(SECOND / 20).await;
        }
        assert!(fleet.platform.asked() - before <= 20, "in second {second}");
    }
    let asked = fleet.platform.asked();
    // The check of one may have begun before the others came, which leaves room for another.
    assert!((100..=101).contains(&asked), "{asked} found room");
    assert!(fleet.platform.0.peak.load(Ordering::SeqCst) <= 8);
    // The others come with the next occasion.
    fleet.pass(31 * SECOND).await;
    use_session(&sessions, &tokens[9_999]).await;
    assert_eq!(fleet.platform.asked(), asked + 1);
}

#[tokio::test]
async fn no_more_than_the_bound_are_in_flight_at_a_platform_that_hangs() {
    let fleet = Fleet::new(Mood::Waits);
    let sessions = fleet.node();
    let mut tokens = Vec::new();
    for number in 0..30 {
        let user = Identity::new("appid", format!("user {number}"));
        fleet.put_key(&user, "key").await;
        tokens.push(
            sessions
                .issue(user)
                .await
                .unwrap()
                .token()
                .expose()
                .to_owned(),
        );
    }
    fleet.pass(HOUR).await;
    for token in &tokens {
        use_session(&sessions, token).await;
    }
    for _ in 0..100 {
        fleet.pass(SECOND / 20).await;
    }
    assert_eq!((fleet.platform.asked(), fleet.platform.in_flight()), (8, 8));
    sessions.flush().await.unwrap();
    sessions.shutdown().await.unwrap();
    drop(sessions);
    settle().await;
    assert_eq!(
        fleet.platform.in_flight(),
        0,
        "they end with the last handle"
    );
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn who_waits_when_a_runtime_ends_is_asked_about_in_the_next_one() {
    let fleet = Fleet::new(Mood::Waits);
    let policy = KeyCheckPolicy::default().with_calls_in_flight(1);
    let sessions = fleet.node_with(|builder| builder.key_check_policy(policy));
    let bob = Identity::new("appid", "bob");
    let (token, of_bob) = runtime().block_on(async {
        fleet.put_key(&bob, "of bob").await;
        let of_bob = sessions.issue(bob.clone()).await.unwrap();
        let of_alice = fleet.log_in(&sessions, "one").await;
        (of_alice, of_bob.token().expose().to_owned())
    });
    fleet.clock.advance(HOUR);
    runtime().block_on(async {
        use_session(&sessions, &token).await;
        use_session(&sessions, &of_bob).await;
        assert_eq!(fleet.platform.asked(), 1, "bob waits");
    });
    assert_eq!(fleet.platform.in_flight(), 0);
    fleet.platform.is(Mood::Over);
    runtime().block_on(async {
        fleet.pass(31 * SECOND).await;
        // The session of alice is read, and no question about her is due.
        use_session(&sessions, &token).await;
        assert_eq!(fleet.platform.asked(), 2);
        assert_eq!(refusal(&sessions, &of_bob).await, Some(SessionKeyExpired));
        assert_eq!(refusal(&sessions, &token).await, None);
    });
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let follow = |store: HookedStore| {
        Sessions::builder(store).following_session_keys(Platform::new(Mood::Valid))
    };
    let store = || HookedStore::new(MemoryStore::new());
    assert!(follow(store()).build().is_ok());
    assert!(follow(store().shared()).seal_key([7; 32]).build().is_ok());
    let refused = follow(store().shared()).build().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "following_session_keys: expected a seal_key, because other processes can read the store, got None"
    );
    let policy = KeyCheckPolicy::default();
    for policy in [
        policy.with_interval(Duration::ZERO),
        policy.with_calls_per_second(0),
        policy.with_calls_per_second(1001),
        policy.with_calls_in_flight(0),
        policy.with_waiting(0),
    ] {
        assert!(follow(store()).key_check_policy(policy).build().is_err());
    }
}
