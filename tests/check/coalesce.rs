//! One question to the store per session, however many ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_wx_session::RejectionKind::{SessionUnknown, StoreUnavailable};
use tower_wx_session::store::SessionStore;
use tower_wx_session::{RejectionKind, Sessions};

use crate::support::nodes::{log_in, node, node_with, refusal, store_on_a_clock};
use crate::support::{HookedStore, Op, down};

const MANY: usize = 1000;

/// Checks `token` so many times at once.
async fn check_at_once<S: SessionStore>(
    sessions: &Sessions<S>,
    token: &str,
) -> Vec<Option<RejectionKind>> {
    let checks: Vec<_> = (0..MANY)
        .map(|_| {
            let (sessions, token) = (sessions.clone(), token.to_owned());
            tokio::spawn(async move { refusal(&sessions, &token).await })
        })
        .collect();
    let mut refusals = Vec::new();
    for check in checks {
        refusals.push(check.await.unwrap());
    }
    refusals
}

fn slow_load(
    store: HookedStore,
    then: impl Fn() -> bool + Send + Sync + Clone + 'static,
) -> HookedStore {
    store.before(move |op| {
        let then = then.clone();
        async move {
            if op == Op::Load {
                sleep(Duration::from_millis(50)).await;
                return if then() { Ok(()) } else { Err(down()) };
            }
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_requests_make_one_load() {
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let store = slow_load(store, || true);
    let refusals = check_at_once(&node(&store, &clock), &token).await;
    assert_eq!(refusals, vec![None; MANY]);
    assert_eq!(store.calls(Op::Load), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_requests_share_a_failure_and_nobody_keeps_it() {
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let is_up = Arc::new(AtomicBool::new(false));
    let store = slow_load(store, {
        let is_up = is_up.clone();
        move || is_up.load(Ordering::SeqCst)
    });
    let sessions = node(&store, &clock);
    let refusals = check_at_once(&sessions, &token).await;
    assert_eq!(refusals, vec![Some(StoreUnavailable); MANY]);
    assert_eq!(store.calls(Op::Load), 1);

    is_up.store(true, Ordering::SeqCst);
    assert_eq!(refusal(&sessions, &token).await, None);
    assert_eq!(store.calls(Op::Load), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_asked_once_and_waited_for_within_the_deadline() {
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let store = store.before(async |op| {
        if op == Op::Load {
            std::future::pending::<()>().await;
        }
        Ok(())
    });
    let started = Instant::now();
    let refusals = check_at_once(&node(&store, &clock), &token).await;
    assert_eq!(refusals, vec![Some(StoreUnavailable); MANY]);
    assert_eq!(store.calls(Op::Load), 1);
    assert_eq!(started.elapsed(), Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_gone_take_no_load_along() {
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let store = slow_load(store, || true);
    let sessions = node(&store, &clock);
    let check = || {
        let (sessions, token) = (sessions.clone(), token.clone());
        tokio::spawn(async move { refusal(&sessions, &token).await })
    };
    for _ in 0..300 {
        let gone = check();
        tokio::task::yield_now().await;
        gone.abort();
    }
    assert_eq!(check().await.unwrap(), None);
    assert_eq!(store.calls(Op::Load), 1);
}

#[tokio::test(start_paused = true)]
async fn cold_sessions_share_a_bounded_number_of_loads() {
    let (clock, store) = store_on_a_clock();
    let issuer = node(&store, &clock);
    let mut tokens = Vec::new();
    for _ in 0..100 {
        tokens.push(log_in(&issuer).await);
    }
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let peak = most.clone();
    let store = store.before(move |op| {
        let (running, most) = (running.clone(), most.clone());
        async move {
            if op == Op::Load {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                sleep(Duration::from_millis(10)).await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
            Ok(())
        }
    });
    let sessions = node_with(&store, &clock, |builder| builder.loads_in_flight(8));
    let checks: Vec<_> = tokens
        .into_iter()
        .map(|token| {
            let sessions = sessions.clone();
            tokio::spawn(async move { refusal(&sessions, &token).await })
        })
        .collect();
    for check in checks {
        assert_eq!(check.await.unwrap(), None);
    }
    assert_eq!(peak.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn a_dead_token_is_asked_about_once_in_five_seconds() {
    let (clock, store) = store_on_a_clock();
    let forgotten = log_in(&node(&store, &clock)).await;
    clock.advance(Duration::from_secs(5 * 3600));
    let sessions = node(&store, &clock);
    for _ in 0..10 {
        assert_eq!(refusal(&sessions, &forgotten).await, Some(SessionUnknown));
    }
    assert_eq!(store.calls(Op::Load), 1);
    clock.advance(Duration::from_secs(5));
    assert_eq!(refusal(&sessions, &forgotten).await, Some(SessionUnknown));
    assert_eq!(store.calls(Op::Load), 2);
}

#[tokio::test]
async fn a_forged_token_never_reaches_the_store() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let good = log_in(&sessions).await;
    let asked = store.calls(Op::TagKeys);
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars() {
        let mut forged = good.clone();
        forged.replace_range(20..21, &character.to_string());
        if forged != good {
            let kind = refusal(&sessions, &forged).await;
            assert_eq!(kind, Some(RejectionKind::SessionMalformed));
        }
    }
    assert_eq!(store.calls(Op::Load), 0);
    assert_eq!(store.calls(Op::TagKeys), asked);
}
