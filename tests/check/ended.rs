//! Whoever waits for the end of a session is told of it, and the store is left in peace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_wx_session::store::{Revoke, RevokeReason, SessionStore};
use tower_wx_session::{Identity, Rejection, RejectionKind, SessionId, Sessions};

use crate::support::nodes::{alice, log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op, down, switchable};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

async fn id_of(sessions: &Sessions<HookedStore>, token: &str) -> SessionId {
    sessions.check(token).await.unwrap().id()
}

/// Starts to wait, and lets it look once.
async fn wait_for(sessions: &Sessions<HookedStore>, id: SessionId) -> JoinHandle<Rejection> {
    let waiting = tokio::spawn(sessions.ended(id));
    settle().await;
    assert!(!waiting.is_finished(), "the session has not ended yet");
    waiting
}

#[track_caller]
fn assert_waits(waiting: &JoinHandle<Rejection>) {
    assert!(!waiting.is_finished(), "told of an end that was none");
}

/// What the waiting came to; time passes as fast as it can.
async fn told(waiting: JoinHandle<Rejection>) -> RejectionKind {
    let told = timeout(10 * SECOND, waiting).await;
    told.expect("told in time").unwrap().kind()
}

#[tokio::test(start_paused = true)]
async fn a_revocation_on_any_node_ends_the_wait_on_every_node() {
    let (clock, store) = store_on_a_clock();
    let nodes = [node(&store, &clock), node(&store, &clock)];
    for revoking in &nodes {
        let token = log_in(&nodes[0]).await;
        let id = id_of(&nodes[0], &token).await;
        let here = wait_for(&nodes[0], id).await;
        let there = wait_for(&nodes[1], id).await;
        revoking.kick_out(id).await.unwrap();
        assert_eq!(told(here).await, RejectionKind::SessionKickedOut);
        assert_eq!(told(there).await, RejectionKind::SessionKickedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_not_meant_waits_on() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let kept = id_of(&sessions, &log_in(&sessions).await).await;
    let other = id_of(&sessions, &log_in(&sessions).await).await;
    let bob = Identity::new("appid", "bob");
    let bob_s = sessions.issue(bob.clone()).await.unwrap().session().id();

    let waiting = wait_for(&sessions, kept).await;
    let waiting_other = wait_for(&sessions, other).await;
    sessions.revoke_user(&bob).await.unwrap();
    let session = sessions.check_again(kept).await.unwrap();
    sessions.revoke_others(&session).await.unwrap();
    assert_eq!(told(waiting_other).await, RejectionKind::SessionRevoked);
    settle().await;
    assert_waits(&waiting);
    assert_eq!(
        sessions.ended(bob_s).await.kind(),
        RejectionKind::SessionRevoked
    );
}

#[tokio::test(start_paused = true)]
async fn an_unused_session_ends_to_the_second_and_uses_on_any_node_put_it_off() {
    let (clock, store) = store_on_a_clock();
    let (here, there) = (node(&store, &clock), node(&store, &clock));
    let issued = here.issue(alice()).await.unwrap();
    let id = issued.session().id();
    let unused = wait_for(&here, id).await;
    clock.advance(2 * HOUR - SECOND);
    settle().await;
    assert_waits(&unused);

    there.check(issued.token().expose()).await.unwrap();
    settle().await;
    clock.advance(SECOND);
    settle().await;
    assert_waits(&unused);
    // Used at the last second, and ended by a tenth later at the latest.
    clock.advance(2 * HOUR - 2 * SECOND);
    settle().await;
    assert_waits(&unused);
    clock.advance(2 * SECOND + 2 * HOUR / 10);
    assert_eq!(told(unused).await, RejectionKind::SessionIdleExpired);
}

#[tokio::test(start_paused = true)]
async fn the_absolute_end_and_a_rotation_s_grace_end_the_wait() {
    let (clock, store) = store_on_a_clock();
    let sessions = node_with(&store, &clock, |builder| builder.lifetime(HOUR));
    let old = id_of(&sessions, &log_in(&sessions).await).await;
    let waiting = wait_for(&sessions, old).await;
    let new = sessions.rotate(old).await.unwrap().session().id();
    let waiting_new = wait_for(&sessions, new).await;
    settle().await;
    assert_waits(&waiting);
    clock.advance(30 * SECOND);
    assert_eq!(told(waiting).await, RejectionKind::SessionReplaced);
    assert_waits(&waiting_new);
    clock.advance(HOUR);
    assert_eq!(told(waiting_new).await, RejectionKind::SessionExpired);
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_nothing_and_a_pending_revocation_does() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let first = id_of(&sessions, &log_in(&sessions).await).await;
    let second = id_of(&sessions, &log_in(&sessions).await).await;
    let waiting = wait_for(&sessions, first).await;
    let waiting_idle = wait_for(&sessions, second).await;

    is_down.store(true, Ordering::SeqCst);
    sessions.kick_out(first).await.unwrap();
    assert_eq!(told(waiting).await, RejectionKind::SessionKickedOut);
    clock.advance(3 * HOUR);
    tokio::time::sleep(60 * SECOND).await;
    assert_waits(&waiting_idle);
    is_down.store(false, Ordering::SeqCst);
    tokio::time::sleep(5 * SECOND).await;
    assert_waits(&waiting_idle);
    clock.advance(5 * SECOND);
    assert_eq!(told(waiting_idle).await, RejectionKind::SessionIdleExpired);
}

/// More than a link holds.
async fn more_sessions(sessions: &Sessions<HookedStore>) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for _ in 0..1100 {
        ids.push(sessions.issue(alice()).await.unwrap().session().id());
    }
    ids
}

/// Revokes on another node, while this thread does not let the node take anything in.
async fn revoke_unheard(store: &HookedStore, ids: impl Iterator<Item = SessionId>) {
    for id in ids {
        let revoke = Revoke::new(id, RevokeReason::LoggedOut);
        store.inner.revoke(revoke).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_the_link_lost_is_found_when_it_is_back() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let id = id_of(&sessions, &log_in(&sessions).await).await;
    let others = more_sessions(&sessions).await;
    let waiting = wait_for(&sessions, id).await;
    revoke_unheard(&store, others.into_iter().chain([id])).await;
    assert_eq!(told(waiting).await, RejectionKind::SessionRevoked);
}

#[tokio::test(start_paused = true)]
async fn it_is_found_even_if_the_first_look_at_the_store_fails() {
    let (clock, store) = store_on_a_clock();
    let failures = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&failures);
    let store = store.before(move |op| {
        let count_down = |left: usize| left.checked_sub(1);
        let fails = op == Op::Load
            && (left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down)).is_ok();
        async move { if fails { Err(down()) } else { Ok(()) } }
    });
    let sessions = node(&store, &clock);
    let id = id_of(&sessions, &log_in(&sessions).await).await;
    let others = more_sessions(&sessions).await;
    let waiting = wait_for(&sessions, id).await;
    failures.store(1, Ordering::SeqCst);
    revoke_unheard(&store, others.into_iter().chain([id])).await;
    assert_eq!(told(waiting).await, RejectionKind::SessionRevoked);
    assert_eq!(failures.load(Ordering::SeqCst), 0);
}

#[test]
fn a_link_that_ends_with_its_runtime_is_replaced() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let (clock, store) = store_on_a_clock();
    let first = runtime();
    let (sessions, id) = first.block_on(async {
        let sessions = node(&store, &clock);
        let id = id_of(&sessions, &log_in(&sessions).await).await;
        settle().await;
        (sessions, id)
    });
    runtime().block_on(async {
        let waiting = wait_for(&sessions, id).await;
        first.shutdown_background();
        tokio::time::sleep(5 * SECOND).await;
        let revoke = Revoke::new(id, RevokeReason::LoggedOut);
        store.inner.revoke(revoke).await.unwrap();
        assert_eq!(told(waiting).await, RejectionKind::SessionRevoked);
    });
}

#[tokio::test(start_paused = true)]
async fn nobody_asks_the_store_while_nothing_happens() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let mut waiting = Vec::new();
    for user in 0..1000 {
        let user = Identity::new("appid", format!("user {user}"));
        let id = sessions.issue(user).await.unwrap().session().id();
        waiting.push((id, tokio::spawn(sessions.ended(id))));
    }
    settle().await;
    let loads = store.calls(Op::Load);
    for _ in 0..100 {
        clock.advance(60 * SECOND);
        settle().await;
    }
    assert_eq!(store.calls(Op::Load), loads);
    assert!(waiting.iter().all(|(_, waiting)| !waiting.is_finished()));

    let (id, meant) = waiting.swap_remove(500);
    sessions.kick_out(id).await.unwrap();
    assert_eq!(told(meant).await, RejectionKind::SessionKickedOut);
    settle().await;
    assert!(waiting.iter().all(|(_, waiting)| !waiting.is_finished()));
    assert!(store.calls(Op::Load) <= loads + 1, "the others asked, too");
}

#[tokio::test(start_paused = true)]
async fn a_check_without_the_token_is_a_use() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let id = id_of(&sessions, &token).await;
    for _ in 0..10 {
        clock.advance(HOUR);
        sessions.check_again(id).await.unwrap();
        settle().await;
    }
    assert_eq!(refusal(&sessions, &token).await, None);
    clock.advance(3 * HOUR);
    let refused = sessions.check_again(id).await.unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::SessionIdleExpired);
}
