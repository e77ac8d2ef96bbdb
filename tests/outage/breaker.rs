//! While the store is known to be down nobody waits for it, and it is found again by itself.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower_wx_session::RejectionKind::{SessionKickedOut, SessionUnknown, StoreUnavailable};
use tower_wx_session::sessions::Revocation;
use tower_wx_session::{RejectionKind, Sessions};

use crate::support::nodes::{alice, log_in, node, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op, down, switchable};

const SECOND: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_millis(250);

/// A store that takes questions and does not answer them while the switch is on.
fn hanging(store: HookedStore) -> (HookedStore, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let hangs = Arc::clone(&switch);
    let store = store.before(move |_| {
        let hangs = hangs.load(Ordering::SeqCst);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    (store, switch)
}

/// A node that has not seen these tokens.
async fn unseen(sessions: &Sessions<HookedStore>, number: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..number {
        tokens.push(log_in(sessions).await);
    }
    tokens
}

/// Checks that the store cannot answer: five of them open the breaker.
async fn fail(sessions: &Sessions<HookedStore>, tokens: &[String]) {
    for token in tokens {
        assert_eq!(refusal(sessions, token).await, Some(StoreUnavailable));
    }
}

/// A check that has got as far as it gets by itself.
async fn begin_check(
    sessions: &Sessions<HookedStore>,
    token: &str,
) -> JoinHandle<Option<RejectionKind>> {
    let (sessions, token) = (sessions.clone(), token.to_owned());
    let check = tokio::spawn(async move { refusal(&sessions, &token).await });
    tokio::task::yield_now().await;
    check
}

#[tokio::test(start_paused = true)]
async fn who_did_not_answer_within_what_time_is_said_in_words() {
    let (clock, store) = store_on_a_clock();
    let (store, hangs) = hanging(store);
    let sessions = node(&store, &clock);
    let token = log_in(&node(&store, &clock)).await;
    hangs.store(true, Ordering::SeqCst);
    let refusal = sessions.check(&token).await.unwrap_err();
    let store_error = refusal.source().unwrap();
    assert_eq!(store_error.to_string(), "session store unavailable");
    let cause = store_error.source().unwrap();
    assert_eq!(cause.to_string(), "no answer within 250 ms");
}

#[tokio::test(start_paused = true)]
async fn after_five_failures_in_a_row_nobody_waits() {
    let (clock, store) = store_on_a_clock();
    let (store, hangs) = hanging(store);
    let tokens = unseen(&node(&store, &clock), 7).await;
    let sessions = node(&store, &clock);
    let known = log_in(&sessions).await;
    hangs.store(true, Ordering::SeqCst);

    for token in &tokens[..5] {
        let asked = Instant::now();
        assert_eq!(refusal(&sessions, token).await, Some(StoreUnavailable));
        assert_eq!(asked.elapsed(), DEADLINE);
    }
    let (asked, calls) = (Instant::now(), store.calls(Op::Load));
    for _ in 0..1000 {
        assert_eq!(refusal(&sessions, &tokens[5]).await, Some(StoreUnavailable));
        assert_eq!(refusal(&sessions, &known).await, None);
    }
    let issued = sessions.issue(alice()).await.unwrap_err();
    assert_eq!(issued.kind(), StoreUnavailable);
    assert_eq!(asked.elapsed(), Duration::ZERO, "somebody waited");
    assert_eq!(store.calls(Op::Load), calls, "somebody asked");

    hangs.store(false, Ordering::SeqCst);
    sleep(2 * SECOND).await;
    for token in &tokens {
        assert_eq!(refusal(&sessions, token).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn trials_are_few_and_find_the_store_within_a_second() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let tokens = unseen(&node(&store, &clock), 6).await;
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    is_down.store(true, Ordering::SeqCst);
    fail(&sessions, &tokens).await;
    let loads = store.calls(Op::Load);
    let until = Instant::now() + 60 * SECOND;
    while Instant::now() < until {
        assert_eq!(refusal(&sessions, &tokens[0]).await, Some(StoreUnavailable));
        sleep(SECOND / 50).await;
    }
    let trials = store.calls(Op::Load) - loads;
    assert!((60..=300).contains(&trials), "{trials} in a minute");

    is_down.store(false, Ordering::SeqCst);
    sleep(SECOND).await;
    for token in &tokens {
        assert_eq!(refusal(&sessions, token).await, None);
    }
}

/// Half-open, one real question is at the store, and the others are answered at once.
#[tokio::test(start_paused = true)]
async fn while_one_tries_the_store_nobody_else_waits() {
    let (clock, store) = store_on_a_clock();
    let (store, hangs) = hanging(store);
    let tokens = unseen(&node(&store, &clock), 7).await;
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    hangs.store(true, Ordering::SeqCst);
    fail(&sessions, &tokens[..5]).await;
    sleep(SECOND).await;
    let (asked, loads) = (Instant::now(), store.calls(Op::Load));
    let trial = begin_check(&sessions, &tokens[5]).await;
    for _ in 0..100 {
        assert_eq!(refusal(&sessions, &tokens[6]).await, Some(StoreUnavailable));
    }
    assert_eq!(asked.elapsed(), Duration::ZERO, "somebody waited");
    assert_eq!(trial.await.unwrap(), Some(StoreUnavailable));
    assert_eq!(asked.elapsed(), DEADLINE);
    assert_eq!(store.calls(Op::Load), loads + 1);
}

/// Nor do those who want to know the same: what tries the store is no flight that others join.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_one_who_tries_the_store_with_the_same_session() {
    let (clock, store) = store_on_a_clock();
    let (store, hangs) = hanging(store);
    let tokens = unseen(&node(&store, &clock), 5).await;
    let sessions = node(&store, &clock);
    let known = log_in(&sessions).await;
    settle().await;
    hangs.store(true, Ordering::SeqCst);
    fail(&sessions, &tokens).await;
    // It has to be confirmed, and passes by its grace.
    clock.advance(40 * SECOND);
    sleep(SECOND).await;
    let asked = Instant::now();
    let trial = begin_check(&sessions, &known).await;
    assert_eq!(refusal(&sessions, &known).await, None);
    assert_eq!(asked.elapsed(), Duration::ZERO);
    assert_eq!(trial.await.unwrap(), None);
    assert_eq!(asked.elapsed(), DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn on_a_node_that_starts_without_its_store_nobody_waits_for_the_one_who_tries_it() {
    let (clock, store) = store_on_a_clock();
    let (store, hangs) = hanging(store);
    let tokens = unseen(&node(&store, &clock), 9).await;
    hangs.store(true, Ordering::SeqCst);
    let sessions = node(&store, &clock);
    for token in tokens.iter().take(6) {
        refusal(&sessions, token).await;
    }
    sleep(SECOND).await;
    let asked = Instant::now();
    let trial = begin_check(&sessions, &tokens[7]).await;
    fail(&sessions, &tokens).await;
    let login = sessions.issue(alice()).await.unwrap_err();
    assert_eq!(login.kind(), StoreUnavailable);
    assert_eq!(asked.elapsed(), Duration::ZERO);
    assert_eq!(trial.await.unwrap(), Some(StoreUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_tries_the_store_first_waits_for_one_deadline() {
    let (clock, store) = store_on_a_clock();
    let takes = Arc::new(Mutex::new(Duration::ZERO));
    let span = Arc::clone(&takes);
    let store = store.before(move |_| {
        let span = *span.lock().unwrap();
        async move {
            sleep(span).await;
            Ok(())
        }
    });
    let tokens = unseen(&node(&store, &clock), 5).await;
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    *takes.lock().unwrap() = 60 * SECOND;
    for token in &tokens {
        refusal(&sessions, token).await;
    }
    *takes.lock().unwrap() = DEADLINE - SECOND / 100;
    sleep(SECOND).await;
    let asked = Instant::now();
    let login = sessions.issue(alice()).await.unwrap_err();
    assert_eq!(login.kind(), StoreUnavailable);
    assert!(asked.elapsed() <= DEADLINE, "{:?}", asked.elapsed());
}

/// Where nothing else is written, the end of a failure of writes is found by a trial.
#[tokio::test(start_paused = true)]
async fn a_revocation_that_failed_once_leaves_no_unknown_session_unavailable() {
    let (clock, store) = store_on_a_clock();
    let fails = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&fails);
    let store = store.before(move |op| {
        let fails = op == Op::Revoke && switch.swap(false, Ordering::SeqCst);
        async move { if fails { Err(down()) } else { Ok(()) } }
    });
    let (other_clock, other_store) = store_on_a_clock();
    let foreign = node(&other_store, &other_clock).issue(alice()).await;
    let foreign = foreign.unwrap().session().id();
    let sessions = node(&store, &clock);
    let kind = async || sessions.check_again(foreign).await.unwrap_err().kind();
    assert_eq!(kind().await, SessionUnknown);
    clock.advance(10 * SECOND);
    fails.store(true, Ordering::SeqCst);
    // It ends nothing when it is written: the user has no session.
    let pending = sessions.revoke_user(&alice()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    sessions.shutdown().await.unwrap();
    clock.advance(600 * SECOND);
    kind().await;
    clock.advance(10 * SECOND);
    assert_eq!(kind().await, SessionUnknown);
}

/// A revocation that waits for the store is written although nobody else comes to try it.
#[tokio::test(start_paused = true)]
async fn a_write_that_waits_tries_the_store_by_a_read() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let tokens = unseen(&node(&store, &clock), 6).await;
    let sessions = node(&store, &clock);
    let issued = sessions.issue(alice()).await.unwrap();
    is_down.store(true, Ordering::SeqCst);
    fail(&sessions, &tokens).await;
    let pending = sessions.kick_out(issued.session()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    is_down.store(false, Ordering::SeqCst);
    sleep(2 * SECOND).await;
    let there = node(&store, &clock);
    let token = issued.token().expose();
    assert_eq!(refusal(&there, token).await, Some(SessionKickedOut));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_without_its_store_gets_ready_by_itself() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let token = log_in(&node(&store, &clock)).await;
    is_down.store(true, Ordering::SeqCst);
    let sessions = node(&store, &clock);
    for _ in 0..100 {
        assert_eq!(refusal(&sessions, &token).await, Some(StoreUnavailable));
    }
    is_down.store(false, Ordering::SeqCst);
    sleep(SECOND).await;
    assert_eq!(refusal(&sessions, &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_no_writes_still_serves_checks() {
    let (clock, store) = store_on_a_clock();
    let is_read_only = Arc::new(AtomicBool::new(false));
    let refuses = Arc::clone(&is_read_only);
    let store = store.before(move |op| {
        let refuses = refuses.load(Ordering::SeqCst);
        let refuses = refuses && matches!(op, Op::Insert | Op::Touch | Op::Revoke);
        async move { if refuses { Err(down()) } else { Ok(()) } }
    });
    let tokens = unseen(&node(&store, &clock), 50).await;
    is_read_only.store(true, Ordering::SeqCst);
    let sessions = node(&store, &clock);
    for token in &tokens {
        sessions.issue(alice()).await.unwrap_err();
        assert_eq!(refusal(&sessions, token).await, None);
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn writes_that_hang_hold_up_no_check() {
    let (clock, store) = store_on_a_clock();
    let hangs = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&hangs);
    let store = store.before(move |op| {
        let hangs = switch.load(Ordering::SeqCst) && op == Op::Touch;
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    let sessions = node(&store, &clock);
    let tokens = unseen(&sessions, 10).await;
    hangs.store(true, Ordering::SeqCst);
    for token in &tokens {
        assert_eq!(refusal(&sessions, token).await, None);
    }
    clock.advance(61 * SECOND);
    let asked = Instant::now();
    for token in &tokens {
        assert_eq!(refusal(&sessions, token).await, None);
    }
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_failure_is_one_however_many_share_it() {
    let (clock, store) = store_on_a_clock();
    log_in(&node(&store, &clock)).await;
    let slow = store.before(async |op| {
        if op == Op::TagKeys {
            sleep(Duration::from_millis(10)).await;
            return Err(down());
        }
        Ok(())
    });
    let sessions = node(&slow, &clock);
    let id = sessions.list(&alice()).await.unwrap()[0].id();
    let login = || sessions.issue(alice());
    let (a, b, c, d, e) = tokio::join!(login(), login(), login(), login(), login());
    for refused in [a, b, c, d, e] {
        assert_eq!(refused.unwrap_err().kind(), StoreUnavailable);
    }
    sessions.check_again(id).await.unwrap();
}

#[test]
fn a_trial_whose_runtime_nobody_drives_is_followed_by_another() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let (clock, store) = store_on_a_clock();
    let (store, hangs) = hanging(store);
    let idle = runtime();
    let (sessions, tokens) = idle.block_on(async {
        let tokens = unseen(&node(&store, &clock), 7).await;
        let sessions = node(&store, &clock);
        log_in(&sessions).await;
        hangs.store(true, Ordering::SeqCst);
        fail(&sessions, &tokens[..5]).await;
        sleep(SECOND).await;
        let (sessions, tokens) = (sessions, tokens);
        let trial = (sessions.clone(), tokens[5].clone());
        tokio::spawn(async move { refusal(&trial.0, &trial.1).await });
        tokio::task::yield_now().await;
        (sessions, tokens)
    });
    hangs.store(false, Ordering::SeqCst);
    runtime().block_on(async {
        // Its time is another one than the first runtime's, which stands still.
        let passes = async {
            while refusal(&sessions, &tokens[6]).await.is_some() {
                sleep(SECOND / 10).await;
            }
        };
        let long = 60 * SECOND;
        tokio::time::timeout(long, passes).await.unwrap();
    });
}
