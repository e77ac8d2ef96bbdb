//! A code is sent once, however often it comes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use tower::ServiceExt;
use tower_wx_session::Identity;
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
use tower_wx_session::store::{MemoryStore, RevokeReason};
use tower_wx_session::test_util::ManualClock;

use super::answer::{assert_refused, assert_rejected};
use super::moody::{log_in_at, moody};
use super::turns::behind_gateway;
use crate::support::Op;
use crate::support::golden::{LOGIN, golden};
use crate::support::http::Answer;
use crate::support::nodes::node_in_real_time;
use crate::support::world::{App, SECOND, World, within_ten_seconds};

/// Sends the same code in parallel.
async fn log_in_often(app: &App, code: &str, times: usize) -> Vec<Answer> {
    let requests = (0..times).map(|_| tokio::spawn(Answer::to(app.post_code(code))));
    let mut answers = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        answers.push(request.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_with_one_code_share_one_exchange() {
    let world = World::new().await;
    let app = world.start().await;
    let answers = log_in_often(&app, "alice:1", 100).await;
    let tokens: HashSet<_> = answers.iter().map(Answer::token).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);

    let refusals = log_in_often(&app, "busy:1", 100).await;
    let first = refusals
        .iter()
        .filter(|answer| answer.status == 503)
        .count();
    assert!(first > 0);
    for refusal in refusals.iter().filter(|answer| answer.status != 503) {
        assert_rejected(refusal);
    }
    assert_eq!(world.fake.exchanges_of("busy:1"), 1);
}

#[tokio::test]
async fn a_repeat_gets_the_same_token_for_five_seconds() {
    let world = World::new().await;
    let app = world.start().await;
    let first = app.log_in("alice:1").await;
    world.clock.advance(5 * SECOND - Duration::from_millis(1));
    assert_eq!(app.log_in("alice:1").await, first);
    world.clock.advance(Duration::from_millis(1));
    assert_rejected(&app.log_in("alice:1").await);
    world.clock.advance(290 * SECOND);
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(app.me(&first.token()).await.status, 200);
}

#[tokio::test]
async fn a_code_that_may_be_spent_is_refused_for_five_minutes() {
    let world = World::new().await;
    let app = world.start().await;
    for code in ["busy:1", "cut:1", "reset:1", "error5xx:1"] {
        let refusal = app.log_in(code).await;
        assert_refused(&refusal, golden(LOGIN, "provider unavailable"));
    }
    world.clock.advance(300 * SECOND - Duration::from_millis(1));
    for code in ["busy:1", "cut:1", "reset:1", "error5xx:1"] {
        assert_rejected(&app.log_in(code).await);
        assert_eq!(world.fake.exchanges_of(code), 1);
    }
    app.log_in("busy-no-more:1").await.token();
}

#[tokio::test]
async fn the_token_of_a_session_that_is_over_is_not_replayed() {
    let world = World::new().await;
    let app = world.start().await;
    let first = app.log_in("alice:1").await;
    let session = world.sessions.check(&first.token()).await.unwrap();
    world
        .sessions
        .revoke(&session, RevokeReason::LoggedOut)
        .await
        .unwrap();
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
}

#[tokio::test]
async fn without_replay_every_repeat_is_refused() {
    let world = World::new().await;
    let login = world.login().without_replay();
    let app = world.start_with(world.layer(), login).await;
    let token = app.log_in("alice:1").await.token();
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(app.me(&token).await.status, 200);
}

#[tokio::test]
async fn no_code_is_spent_while_the_store_is_down() {
    let world = World::new().await;
    let app = world.start().await;
    world.outage.of_all();
    for _ in 0..3 {
        assert_refused(&app.log_in("alice:1").await, golden(LOGIN, "store down"));
    }
    assert_eq!(world.fake.exchanges_of("alice:1"), 0);
    world.outage.is_over();
    app.log_in("alice:1").await.token();
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
}

#[tokio::test]
async fn a_good_exchange_survives_a_failing_store_for_five_seconds() {
    for op in [Op::Insert, Op::PutSessionKey, Op::TagKeys] {
        let world = World::new().await;
        let app = world.start().await;
        let down = golden(LOGIN, "store down");
        world.outage.of(&[op]);
        for code in ["alice:1", "bob:1", "bob:1"] {
            assert_refused(&app.log_in(code).await, down);
        }
        world.outage.is_over();
        world.clock.advance(5 * SECOND - Duration::from_millis(1));
        let token = app.log_in("alice:1").await.token();
        assert_eq!(app.me(&token).await.status, 200, "{op:?}");
        assert_eq!(app.log_in("alice:1").await.token(), token);

        world.clock.advance(Duration::from_millis(1));
        assert_rejected(&app.log_in("bob:1").await);
        for code in ["alice:1", "bob:1"] {
            assert_eq!(world.fake.exchanges_of(code), 1, "{op:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_gets_its_token_when_it_comes_back() {
    let world = World::new().await;
    let (app, gateway) = behind_gateway(&world).await;
    let login = tokio::spawn(Answer::to(app.post_code("alice:1")));
    gateway.wait_for(1).await;
    login.abort();
    assert!(login.await.unwrap_err().is_cancelled());

    // Once while the exchange still runs, once when it has ended.
    let repeat = tokio::spawn(Answer::to(app.post_code("alice:1")));
    tokio::task::yield_now().await;
    gateway.open();
    let token = within_ten_seconds(repeat).await.unwrap().token();
    assert_eq!(app.log_in("alice:1").await.token(), token);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(app.me(&token).await.status, 200);
}

/// Vouches for anyone at once, and counts.
struct Trusting(Arc<AtomicUsize>);

impl IdentityProvider for Trusting {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("wxa")
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Exchanged::new(Identity::new("wxa", login.code())))
    }
}

#[tokio::test]
async fn a_full_memory_of_attempts_forgets_the_oldest_and_never_the_newest() {
    let exchanges = Arc::new(AtomicUsize::new(0));
    let sessions = node_in_real_time(MemoryStore::new());
    let login = Login::new(sessions, Trusting(Arc::clone(&exchanges)));
    let log_in = |code: String| {
        let request = Request::post("/").body(format!(r#"{{"code":"{code}"}}"#));
        login.clone().oneshot(request.unwrap())
    };
    for turn in 0..11_000 {
        assert_eq!(
            log_in(format!("before-{turn}")).await.unwrap().status(),
            200
        );
    }
    for round in ["first", "repeat"] {
        for turn in 0..500 {
            let answer = log_in(format!("now-{turn}")).await.unwrap();
            assert_eq!(answer.status(), 200, "{round} of {turn}");
        }
    }
    assert_eq!(exchanges.load(Ordering::SeqCst), 11_500);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_for_repeats_for_five_seconds_only() {
    // The clock of the sessions stands still: what is forgotten is gone, not only refused.
    let login = moody(&ManualClock::new());
    let first = log_in_at(&login, "alice").await;
    tokio::time::sleep(5 * SECOND - Duration::from_millis(2)).await;
    assert_eq!(log_in_at(&login, "alice").await, first);
    tokio::time::sleep(Duration::from_millis(4)).await;
    assert_rejected(&log_in_at(&login, "alice").await);
}
