//! Launch data is good once, on all nodes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tower_wx_session::login::{
    CodePolicy, ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest,
};
use tower_wx_session::store::{MemoryStore, SessionStore, Timestamp};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, RejectionKind};

use crate::support::nodes::{node, node_with, settle, store_on_a_clock};
use crate::support::signed::{SIGNED_FOR, Signed, log_in, tokens_of_many_at_once};
use crate::support::world::SECOND;
use crate::support::{HookedStore, Op, down};

type SignedLogin = Login<HookedStore, Signed>;

fn login_on(store: &HookedStore, clock: &ManualClock) -> SignedLogin {
    Login::new(node(store, clock), Signed::default())
}

/// A store in which an operation fails while the switch is on.
fn failing(store: HookedStore, op: Op) -> (HookedStore, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let is_on = Arc::clone(&switch);
    let store = store.before(move |asked| {
        let fails = asked == op && is_on.load(Ordering::SeqCst);
        async move { if fails { Err(down()) } else { Ok(()) } }
    });
    (store, switch)
}

#[tokio::test]
async fn what_was_used_is_refused_on_every_node_and_after_a_restart() {
    let (clock, store) = store_on_a_clock();
    let (here, there) = (login_on(&store, &clock), login_on(&store, &clock));
    let token = log_in(&here, "signed alice 1").await.unwrap();
    assert_eq!(log_in(&here, "signed alice 1").await, Ok(token));
    let rejected = Err(RejectionKind::CodeRejected);
    assert_eq!(log_in(&there, "signed alice 1").await, rejected);

    clock.advance(SIGNED_FOR - SECOND);
    let restarted = login_on(&store, &clock);
    for login in [&here, &there, &restarted] {
        assert_eq!(log_in(login, "signed alice 1").await, rejected);
    }
    log_in(&restarted, "signed alice 2").await.unwrap();
}

#[tokio::test]
async fn another_spelling_of_the_same_content_is_the_same() {
    let (clock, store) = store_on_a_clock();
    let login = login_on(&store, &clock);
    log_in(&login, "signed alice 1").await.unwrap();
    let rejected = Err(RejectionKind::CodeRejected);
    for code in ["signed alice 1 unsigned", "signed alice 1 else"] {
        assert_eq!(log_in(&login, code).await, rejected);
        assert_eq!(log_in(&login_on(&store, &clock), code).await, rejected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_the_same_time_on_two_nodes_one_gets_a_token() {
    let (clock, store) = store_on_a_clock();
    let logins = [login_on(&store, &clock), login_on(&store, &clock)];
    for round in 0..20 {
        let tokens = tokens_of_many_at_once(&logins, &format!("alice {round}")).await;
        assert_eq!(tokens.len(), 1, "round {round}");
    }
}

#[tokio::test]
async fn what_is_not_genuine_writes_nothing() {
    let (clock, store) = store_on_a_clock();
    let login = login_on(&store, &clock);
    let rejected = Err(RejectionKind::CodeRejected);
    assert_eq!(log_in(&login, "forged alice 1").await, rejected);
    assert_eq!(store.calls(Op::Insert), 0);
    log_in(&login, "signed alice 1").await.unwrap();
    assert_eq!(store.calls(Op::Insert), 2, "a claim and a session");
    clock.advance(6 * SECOND);
    assert_eq!(log_in(&login, "signed alice 1").await, rejected);
    assert_eq!(store.calls(Op::Insert), 2, "a repeat is known here");
}

#[tokio::test]
async fn nothing_is_used_up_while_the_store_is_down() {
    let unavailable = Err(RejectionKind::StoreUnavailable);
    for op in [Op::Now, Op::Insert] {
        let (clock, store) = store_on_a_clock();
        let (store, fails) = failing(store, op);
        let login = login_on(&store, &clock);
        log_in(&login, "signed bob 1").await.unwrap();
        fails.store(true, Ordering::SeqCst);
        clock.advance(SECOND);
        for _ in 0..3 {
            assert_eq!(
                log_in(&login, "signed alice 1").await,
                unavailable,
                "{op:?}"
            );
        }
        fails.store(false, Ordering::SeqCst);
        // Longer than anything is kept for a repeat.
        clock.advance(60 * SECOND);
        log_in(&login, "signed alice 1").await.unwrap();
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_found_again_by_the_repeat() {
    let (clock, store) = store_on_a_clock();
    let is_lost = Arc::new(AtomicBool::new(true));
    let lost = Arc::clone(&is_lost);
    let store = store.after(move |op| {
        let is_lost = op == Op::Insert && lost.load(Ordering::SeqCst);
        async move { if is_lost { Err(down()) } else { Ok(()) } }
    });
    let (here, there) = (login_on(&store, &clock), login_on(&store, &clock));
    let unavailable = Err(RejectionKind::StoreUnavailable);
    for _ in 0..3 {
        assert_eq!(log_in(&here, "signed alice 1").await, unavailable);
        clock.advance(4 * SECOND);
    }
    is_lost.store(false, Ordering::SeqCst);
    let rejected = Err(RejectionKind::CodeRejected);
    assert_eq!(log_in(&there, "signed alice 1").await, rejected);
    log_in(&here, "signed alice 1").await.unwrap();
    clock.advance(6 * SECOND);
    assert_eq!(log_in(&here, "signed alice 1").await, rejected);
}

#[tokio::test]
async fn a_login_that_is_claimed_and_not_stored_can_be_repeated_for_five_seconds() {
    let (clock, store) = store_on_a_clock();
    let (store, fails) = failing(store, Op::TagKeys);
    let login = login_on(&store, &clock);
    fails.store(true, Ordering::SeqCst);
    let unavailable = Err(RejectionKind::StoreUnavailable);
    for code in ["signed alice 1", "signed bob 1"] {
        assert_eq!(log_in(&login, code).await, unavailable);
    }
    fails.store(false, Ordering::SeqCst);
    clock.advance(5 * SECOND - Duration::from_millis(1));
    log_in(&login, "signed alice 1").await.unwrap();
    clock.advance(Duration::from_millis(1));
    let rejected = Err(RejectionKind::CodeRejected);
    assert_eq!(log_in(&login, "signed bob 1").await, rejected);
}

#[tokio::test]
async fn a_claim_is_no_session_of_the_user_and_is_gone_when_it_is_over() {
    let clock = ManualClock::new();
    let store = MemoryStore::with_clock(clock.clone());
    let sessions = node_with(&store, &clock, |builder| builder.sessions_per_user(1));
    let mut feed = store.subscribe().await.unwrap();
    let login = Login::new(sessions.clone(), Signed::default());
    let issued = login.log_in("signed alice 1").await.unwrap();
    settle().await;
    let news = tokio::time::timeout(Duration::ZERO, feed.next()).await;
    assert!(news.is_err(), "nothing has changed for nodes");
    let listed = sessions.list(&Identity::new("appid", "alice")).await;
    assert_eq!(listed.unwrap().len(), 1);
    sessions.check(issued.token().expose()).await.unwrap();
    assert_eq!(store.records(), 2);

    clock.advance(2 * SIGNED_FOR);
    // Each operation collects a little where it works.
    for number in 0..1000 {
        let somebody = Identity::new("appid", number.to_string());
        store.list(somebody).await.unwrap();
    }
    assert_eq!(store.records(), 0);
}

/// Notes when a login began.
struct Dated(Arc<Mutex<Vec<SystemTime>>>);

impl IdentityProvider for Dated {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        appid
    }

    fn code_policy(&self, appid: &str) -> CodePolicy {
        match appid {
            "long" => CodePolicy::one_time().with_limit(1000),
            "slow" => CodePolicy::one_time().with_lifetime(600 * SECOND),
            _ => CodePolicy::one_time(),
        }
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        self.0.lock().unwrap().push(login.received_at());
        Ok(Exchanged::new(Identity::new(login.appid(), "openid")))
    }
}

#[tokio::test]
async fn codes_are_as_long_and_live_as_long_as_their_provider_says() {
    let (clock, store) = store_on_a_clock();
    let dates = Arc::new(Mutex::new(Vec::new()));
    let login = Login::new(node(&store, &clock), Dated(Arc::clone(&dates))).without_replay();
    let log_in = async |appid: &str, code: String| {
        let credentials = tower_wx_session::login::Credentials::new(code).with_appid(appid);
        let issued = login.log_in(credentials).await;
        issued.map(drop).map_err(|rejection| rejection.kind())
    };
    for (appid, length, is_taken) in [
        ("short", 512, true),
        ("short", 513, false),
        ("long", 1000, true),
        ("long", 1001, false),
    ] {
        let answer = log_in(appid, "c".repeat(length)).await;
        let bad = RejectionKind::BadRequest;
        assert_eq!(
            answer,
            is_taken.then_some(()).ok_or(bad),
            "{appid} {length}"
        );
    }
    for (appid, minutes) in [("short", 5), ("slow", 10)] {
        log_in(appid, "code".into()).await.unwrap();
        clock.advance(minutes * 60 * SECOND - SECOND);
        let rejected = Err(RejectionKind::CodeRejected);
        assert_eq!(log_in(appid, "code".into()).await, rejected);
        clock.advance(SECOND);
        assert_eq!(log_in(appid, "code".into()).await, Ok(()), "{appid}");
    }
    let last = dates.lock().unwrap().last().copied();
    assert_eq!(last, Some(SystemTime::from(clock.now())));
}

#[tokio::test]
async fn a_login_is_dated_by_the_store_s_clock() {
    let ours = ManualClock::new();
    let theirs = ManualClock::new();
    theirs.advance(3600 * SECOND);
    let store = MemoryStore::with_clock(theirs.clone());
    let dates = Arc::new(Mutex::new(Vec::new()));
    let login = Login::new(node(&store, &ours), Dated(Arc::clone(&dates)));
    let credentials = tower_wx_session::login::Credentials::new("code").with_appid("appid");
    login.log_in(credentials).await.unwrap();
    let began: Timestamp = theirs.now();
    assert_eq!(*dates.lock().unwrap(), [SystemTime::from(began)]);
}
