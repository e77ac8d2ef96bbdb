//! What a flush waits for, and what becomes of a node whose runtime ends or stands still.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower_wx_session::RejectionKind::{SessionIdleExpired, SessionKickedOut, StoreUnavailable};
use tower_wx_session::sessions::Revocation;
use tower_wx_session::store::{FeedEvent, MemoryStore, Revoke, RevokeReason, SessionStore};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, Rejection, Sessions};

use crate::support::nodes::{alice, log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Links, Op, switchable};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// A use about every hour, of sessions that idle for two.
const USED_EVERY: Duration = Duration::from_secs(3599);
const STORE_DEADLINE: Duration = Duration::from_millis(250);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// What a host does that freezes, at its worst: nothing goes on once there is an answer.
fn until_the_answer<T>(answer: impl Future<Output = T>) -> T {
    runtime().block_on(answer)
}

/// A store that writes a use, or a revocation, for each permit.
fn gated(store: HookedStore, gated: Op) -> (HookedStore, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&gate);
    let store = store.before(move |op| {
        let permits = Arc::clone(&permits);
        async move {
            if op == gated {
                permits.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    });
    (store, gate)
}

fn begin_flush(sessions: &Sessions<HookedStore>) -> JoinHandle<Result<(), Rejection>> {
    let sessions = sessions.clone();
    tokio::spawn(async move { sessions.flush().await })
}

/// Has a user of its own use a session, and what has to be written of that begin.
async fn use_of_another(sessions: &Sessions<HookedStore>, clock: &ManualClock) -> String {
    let user = Identity::new("appid", format!("user {}", clock.now().as_millis()));
    let issued = sessions.issue(user).await.unwrap();
    clock.advance(SECOND);
    let token = issued.token().expose().to_owned();
    assert_eq!(refusal(sessions, &token).await, None);
    settle().await;
    token
}

#[test]
fn where_each_request_has_a_node_of_its_own_a_use_is_lost_unless_it_is_flushed() {
    for flushes in [false, true] {
        let (clock, store) = store_on_a_clock();
        let token = until_the_answer(async { log_in(&node(&store, &clock)).await });
        let request = || {
            clock.advance(USED_EVERY);
            until_the_answer(async {
                let sessions = node(&store, &clock);
                let refused = refusal(&sessions, &token).await;
                if flushes {
                    sessions.flush().await.unwrap();
                }
                refused
            })
        };
        let third = (!flushes).then_some(SessionIdleExpired);
        assert_eq!([request(), request(), request()], [None, None, third]);
    }
}

#[test]
fn where_one_node_outlives_its_runtimes_others_know_only_what_is_flushed() {
    for flushes in [false, true] {
        let (clock, store) = store_on_a_clock();
        let sessions = node(&store, &clock);
        let token = until_the_answer(log_in(&sessions));
        for _ in 0..2 {
            clock.advance(USED_EVERY);
            until_the_answer(async {
                assert_eq!(refusal(&sessions, &token).await, None);
                if flushes {
                    sessions.flush().await.unwrap();
                }
            });
        }
        clock.advance(USED_EVERY);
        let elsewhere = until_the_answer(async { refusal(&node(&store, &clock), &token).await });
        assert_eq!(elsewhere, (!flushes).then_some(SessionIdleExpired));
        // This one knows better, whichever runtime the uses were in.
        let here = until_the_answer(refusal(&sessions, &token));
        assert_eq!(here, None, "with flushes: {flushes}");
    }
}

#[test]
fn a_flush_writes_the_uses_of_a_runtime_that_has_ended() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = until_the_answer(log_in(&sessions));
    clock.advance(HOUR);
    assert_eq!(until_the_answer(refusal(&sessions, &token)), None);
    assert_eq!(store.calls(Op::Touch), 0, "its runtime ended before");
    until_the_answer(sessions.flush()).unwrap();
    assert_eq!(store.calls(Op::Touch), 1);
    clock.advance(HOUR);
    let elsewhere = until_the_answer(async { refusal(&node(&store, &clock), &token).await });
    assert_eq!(elsewhere, None);
}

#[tokio::test]
async fn a_flush_keeps_no_other_use_from_being_written() {
    let (clock, store) = store_on_a_clock();
    let (store, gate) = gated(store, Op::Touch);
    let sessions = node(&store, &clock);
    use_of_another(&sessions, &clock).await;
    let flush = begin_flush(&sessions);
    settle().await;
    use_of_another(&sessions, &clock).await;
    assert_eq!(store.calls(Op::Touch), 2);
    gate.add_permits(2);
    flush.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_flush_does_not_wait_for_later_uses_of_other_sessions() {
    let (clock, store) = store_on_a_clock();
    let (store, gate) = gated(store, Op::Touch);
    let sessions = node(&store, &clock);
    use_of_another(&sessions, &clock).await;
    let flush = begin_flush(&sessions);
    settle().await;
    assert!(!flush.is_finished());
    use_of_another(&sessions, &clock).await;
    gate.add_permits(1);
    settle().await;
    assert!(flush.is_finished(), "a later use is being written still");
    flush.await.unwrap().unwrap();
    assert_eq!(store.calls(Op::Touch), 2);
}

#[tokio::test]
async fn later_uses_of_the_same_session_prolong_a_flush_by_one_write_at_most() {
    let (clock, store) = store_on_a_clock();
    let (store, gate) = gated(store, Op::Touch);
    let sessions = node(&store, &clock);
    let token = use_of_another(&sessions, &clock).await;
    let flush = begin_flush(&sessions);
    settle().await;
    for _ in 0..2 {
        assert!(!flush.is_finished());
        clock.advance(HOUR);
        assert_eq!(refusal(&sessions, &token).await, None);
        gate.add_permits(1);
        settle().await;
    }
    assert!(flush.is_finished(), "a later use is being written still");
    flush.await.unwrap().unwrap();
    assert_eq!(store.calls(Op::Touch), 3);
}

#[tokio::test]
async fn a_flush_waits_for_a_use_that_was_noted_while_an_earlier_one_was_being_written() {
    let (clock, store) = store_on_a_clock();
    let (store, gate) = gated(store, Op::Touch);
    let sessions = node(&store, &clock);
    let token = use_of_another(&sessions, &clock).await;
    clock.advance(HOUR);
    assert_eq!(refusal(&sessions, &token).await, None);
    let flush = begin_flush(&sessions);
    gate.add_permits(1);
    settle().await;
    assert_eq!(store.calls(Op::Touch), 2);
    assert!(!flush.is_finished(), "only the first use was written");
    gate.add_permits(1);
    flush.await.unwrap().unwrap();
}

#[tokio::test]
async fn flushes_wait_for_the_same_writes_whoever_gives_up() {
    let (clock, store) = store_on_a_clock();
    let (store, gate) = gated(store, Op::Touch);
    let sessions = node(&store, &clock);
    use_of_another(&sessions, &clock).await;
    let flushes = [(); 3].map(|()| begin_flush(&sessions));
    settle().await;
    let [given_up, second, third] = flushes;
    given_up.abort();
    use_of_another(&sessions, &clock).await;
    let later = begin_flush(&sessions);
    gate.add_permits(1);
    settle().await;
    assert!(second.is_finished() && third.is_finished());
    assert!(!later.is_finished());
    gate.add_permits(1);
    settle().await;
    assert!(later.is_finished());
    for flush in [second, third, later] {
        flush.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_gives_up_after_two_store_deadlines_and_what_it_waited_for_goes_on() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    clock.advance(HOUR);
    is_down.store(true, Ordering::SeqCst);
    refusal(&sessions, &token).await;
    let began = Instant::now();
    let refused = sessions.flush().await.unwrap_err();
    assert_eq!(refused.kind(), StoreUnavailable);
    assert_eq!(began.elapsed(), 2 * STORE_DEADLINE);

    is_down.store(false, Ordering::SeqCst);
    tokio::time::sleep(2 * SECOND).await;
    sessions.flush().await.unwrap();
    clock.advance(HOUR);
    assert_eq!(refusal(&node(&store, &clock), &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_flush_has_tried_again_what_failed_before_it() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    clock.advance(HOUR);
    is_down.store(true, Ordering::SeqCst);
    assert_eq!(refusal(&sessions, &token).await, Some(StoreUnavailable));
    is_down.store(false, Ordering::SeqCst);
    sessions.flush().await.unwrap();
    clock.advance(HOUR);
    assert_eq!(refusal(&node(&store, &clock), &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_revocations_that_were_made_before_it_and_for_no_later_ones() {
    let (clock, store) = store_on_a_clock();
    let (store, gate) = gated(store, Op::Revoke);
    let sessions = node(&store, &clock);
    let [first, later] = [log_in(&sessions).await, log_in(&sessions).await];
    let id = async |token: &str| sessions.check(token).await.unwrap().id();
    let [first_id, later_id] = [id(&first).await, id(&later).await];
    let revoke = |id| {
        let sessions = sessions.clone();
        tokio::spawn(async move { sessions.kick_out(id).await })
    };
    revoke(first_id);
    settle().await;
    let flush = begin_flush(&sessions);
    settle().await;
    revoke(later_id);
    settle().await;
    assert!(!flush.is_finished());
    gate.add_permits(1);
    settle().await;
    assert!(flush.is_finished());
    flush.await.unwrap().unwrap();
    let there = node(&store, &clock);
    assert_eq!(refusal(&there, &first).await, Some(SessionKickedOut));
    assert_eq!(refusal(&there, &later).await, None);
}

#[test]
fn a_revocation_that_waits_outlives_its_runtime() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let token = until_the_answer(log_in(&sessions));
    is_down.store(true, Ordering::SeqCst);
    let pending = until_the_answer(sessions.kick_out(alice()));
    assert_eq!(pending.unwrap(), Revocation::Pending);
    is_down.store(false, Ordering::SeqCst);
    until_the_answer(sessions.flush()).unwrap();
    let elsewhere = until_the_answer(async { refusal(&node(&store, &clock), &token).await });
    assert_eq!(elsewhere, Some(SessionKickedOut));
}

#[test]
fn a_revocation_outlives_the_runtime_of_its_first_try() {
    let (clock, store) = store_on_a_clock();
    let (store, gate) = gated(store, Op::Revoke);
    let sessions = node(&store, &clock);
    let token = until_the_answer(async {
        let token = log_in(&sessions).await;
        let ending = sessions.clone();
        tokio::spawn(async move { ending.kick_out(alice()).await });
        settle().await;
        token
    });
    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    until_the_answer(sessions.flush()).unwrap();
    let elsewhere = until_the_answer(async { refusal(&node(&store, &clock), &token).await });
    assert_eq!(elsewhere, Some(SessionKickedOut));
}

#[test]
fn a_second_runtime_hears_of_revocations() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = until_the_answer(async {
        let token = log_in(&sessions).await;
        settle().await;
        token
    });
    let id = until_the_answer(async { sessions.check(&token).await.unwrap().id() });
    runtime().block_on(async {
        clock.advance(3 * SECOND);
        assert_eq!(refusal(&sessions, &token).await, None);
        settle().await;
        // Within the time for which it is good with a link.
        let revoke = Revoke::new(id, RevokeReason::KickedOut);
        store.inner.revoke(revoke).await.unwrap();
        settle().await;
        assert_eq!(refusal(&sessions, &token).await, Some(SessionKickedOut));
    });
}

/// Ends the sessions of the user without a word to any node.
async fn revoke_unheard(store: &HookedStore) {
    let revoke = Revoke::new(alice(), RevokeReason::KickedOut);
    store.inner.revoke(revoke).await.unwrap();
}

#[tokio::test]
async fn what_was_revoked_while_a_node_was_frozen_is_refused_from_its_first_request_on() {
    for frozen_for in [4 * SECOND, 20 * SECOND, HOUR] {
        let (clock, store) = store_on_a_clock();
        let links = Links::default();
        let store = store.with_links(&links);
        let sessions = node(&store, &clock);
        let token = log_in(&sessions).await;
        settle().await;
        clock.advance(SECOND);
        links.tell(FeedEvent::Heartbeat(clock.now()));
        settle().await;
        assert_eq!(refusal(&sessions, &token).await, None);

        revoke_unheard(&store).await;
        clock.advance(frozen_for);
        let refused = refusal(&sessions, &token).await;
        assert_eq!(refused, Some(SessionKickedOut), "{frozen_for:?}");
    }
}

/// Where a whole machine is suspended, its monotonic clock may stand still: a node cannot know how
/// old its knowledge is before it hears of the store. The guide page says what to do.
#[tokio::test]
async fn a_node_whose_clock_stood_still_learns_of_it_from_the_store() {
    for confirms_each_time in [false, true] {
        let (clock, store_clock) = (ManualClock::new(), ManualClock::new());
        let links = Links::default();
        let store = MemoryStore::with_clock(store_clock.clone());
        let store = HookedStore::new(store).with_links(&links);
        let sessions = node_with(&store, &clock, |builder| match confirms_each_time {
            true => builder
                .fresh_for(Duration::ZERO)
                .fresh_for_without_link(Duration::ZERO),
            false => builder,
        });
        let token = log_in(&sessions).await;
        settle().await;

        let used_until = async || sessions.check(&token).await.unwrap().idle_expires_at();
        let at_login = used_until().await;
        store_clock.advance(HOUR);
        assert_eq!(used_until().await, at_login, "no time has passed here");
        links.tell(FeedEvent::Heartbeat(store_clock.now()));
        settle().await;
        assert_eq!(used_until().await, at_login + HOUR);

        revoke_unheard(&store).await;
        store_clock.advance(HOUR);
        let refused = refusal(&sessions, &token).await;
        assert_eq!(refused, confirms_each_time.then_some(SessionKickedOut));
    }
}

#[test]
fn a_node_for_each_request_needs_no_clock_that_runs() {
    let (clock, store_clock) = (ManualClock::new(), ManualClock::new());
    let store = HookedStore::new(MemoryStore::with_clock(store_clock.clone()));
    let token = until_the_answer(async { log_in(&node(&store, &clock)).await });
    let request = || {
        until_the_answer(async {
            let sessions = node(&store, &clock);
            let refused = refusal(&sessions, &token).await;
            sessions.flush().await.unwrap();
            refused
        })
    };
    for _ in 0..4 {
        store_clock.advance(USED_EVERY);
        assert_eq!(request(), None);
    }
    until_the_answer(revoke_unheard(&store));
    assert_eq!(request(), Some(SessionKickedOut));
}
