//! The handle: issue, list, rotate, revoke, over one node and several.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_wx_session::Identity;
use tower_wx_session::RejectionKind::{
    SessionKickedOut, SessionMalformed, SessionReplaced, SessionRevoked, StoreUnavailable,
};
use tower_wx_session::sessions::{Issued, NewSession, Revocation, SessionKeyError};
use tower_wx_session::store::{MemoryStore, RevokeReason};

use crate::support::nodes::{
    alice, log_in, node, node_in_real_time, node_with, refusal, settle, store_on_a_clock,
};
use crate::support::{Op, down, switchable};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Role {
    name: String,
    level: u8,
}

#[tokio::test]
async fn data_is_read_as_the_type_that_was_given() {
    let sessions = node_in_real_time(MemoryStore::new());
    let role = Role {
        name: "管理员".to_owned(),
        level: 3,
    };
    let new = NewSession::from(alice()).with_data(&role).unwrap();
    let issued = sessions.issue(new).await.unwrap();
    let session = sessions.check(issued.token().expose()).await.unwrap();
    assert_eq!(session.data().unwrap(), Some(role));
    assert!(session.data::<Vec<u8>>().is_err());

    let rotated = sessions.rotate(session.id()).await.unwrap();
    assert_eq!(rotated.session().data::<Role>().unwrap().unwrap().level, 3);
    let changed = sessions
        .rotate_with_data(rotated.session().id(), &7)
        .await
        .unwrap();
    assert_eq!(changed.session().data().unwrap(), Some(7));

    let without = sessions.issue(alice()).await.unwrap();
    assert_eq!(without.session().data::<Role>().unwrap(), None);
    let not_json = NewSession::from(alice())
        .with_data(&std::collections::HashMap::from([((1, 2), "secret")]))
        .unwrap_err();
    assert!(!not_json.to_string().contains("secret"));
}

#[tokio::test]
async fn parallel_logins_all_stay() {
    let sessions = node_in_real_time(MemoryStore::new());
    let mut tokens = Vec::new();
    for _ in 0..20 {
        tokens.push(log_in(&sessions).await);
    }
    for token in &tokens {
        assert_eq!(refusal(&sessions, token).await, None);
    }
    assert_eq!(sessions.list(&alice()).await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_login_over_the_cap_ends_the_oldest_session() {
    let (clock, store) = store_on_a_clock();
    let sessions = node_with(&store, &clock, |builder| builder.sessions_per_user(2));
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(log_in(&sessions).await);
        clock.advance(SECOND);
    }
    assert_eq!(refusal(&sessions, &tokens[0]).await, Some(SessionReplaced));
    assert_eq!(refusal(&sessions, &tokens[1]).await, None);
    assert_eq!(refusal(&sessions, &tokens[2]).await, None);
}

#[tokio::test]
async fn a_client_that_was_not_told_of_its_new_token_rotates_again() {
    let (_, store) = store_on_a_clock();
    let sessions = node_in_real_time(store);
    let first = sessions.issue(alice()).await.unwrap();
    let lost = sessions.rotate(first.session().id()).await.unwrap();
    let new = sessions.rotate(first.session().id()).await.unwrap();
    let state = async |issued: &Issued| refusal(&sessions, issued.token().expose()).await;
    assert_eq!(state(&lost).await, Some(SessionReplaced));
    assert_eq!(state(&first).await, None, "in its grace");
    assert_eq!(state(&new).await, None);

    // It is used now, so that a rotation of the old one would take it away from somebody.
    settle().await;
    let late = sessions.rotate(first.session().id()).await.unwrap_err();
    assert_eq!(late.kind(), SessionReplaced);
    sessions.kick_out(first.session()).await.unwrap();
    assert_eq!(state(&new).await, Some(SessionKickedOut));
}

#[tokio::test]
async fn a_session_logs_its_user_out_everywhere() {
    let sessions = node_in_real_time(MemoryStore::new());
    let (one, two) = (log_in(&sessions).await, log_in(&sessions).await);
    let asking = sessions.check(&one).await.unwrap();
    let done = sessions.revoke_all(&asking).await.unwrap();
    assert_eq!(done, Revocation::Done(2));
    for token in [one, two] {
        assert_eq!(refusal(&sessions, &token).await, Some(SessionRevoked));
    }
}

#[tokio::test]
async fn each_way_to_revoke_ends_what_it_names() {
    let sessions = node_in_real_time(MemoryStore::new());
    let issue = async || sessions.issue(alice()).await.unwrap();
    let (one, two, three, four) = (issue().await, issue().await, issue().await, issue().await);
    let bob = sessions.issue(Identity::new("appid", "bob")).await.unwrap();
    let state = async |issued: &Issued| refusal(&sessions, issued.token().expose()).await;

    let done = sessions
        .revoke(one.token(), RevokeReason::LoggedOut)
        .await
        .unwrap();
    assert_eq!(done, Revocation::Done(1));
    assert_eq!(state(&one).await, Some(SessionRevoked));

    assert_eq!(
        sessions.kick_out(two.session().id()).await.unwrap(),
        Revocation::Done(1)
    );
    assert_eq!(
        sessions.kick_out(two.session().id()).await.unwrap(),
        Revocation::Done(0)
    );
    assert_eq!(state(&two).await, Some(SessionKickedOut));

    let others = sessions.revoke_others(three.session()).await.unwrap();
    assert_eq!(others, Revocation::Done(1));
    assert_eq!(state(&four).await, Some(SessionRevoked));
    assert_eq!(state(&three).await, None);

    assert_eq!(
        sessions.revoke_user(&alice()).await.unwrap(),
        Revocation::Done(1)
    );
    assert_eq!(state(&three).await, Some(SessionRevoked));
    assert_eq!(state(&bob).await, None);

    // A user who was logged out everywhere can log in again at once.
    assert_eq!(state(&issue().await).await, None);
}

#[tokio::test]
async fn every_node_refuses_what_one_of_them_revoked() {
    let (clock, store) = store_on_a_clock();
    let nodes = [
        node(&store, &clock),
        node(&store, &clock),
        node(&store, &clock),
    ];
    let issued = nodes[0].issue(alice()).await.unwrap();
    let token = issued.token().expose();
    for sessions in &nodes {
        assert_eq!(refusal(sessions, token).await, None);
    }
    settle().await;
    nodes[1].kick_out(issued.session()).await.unwrap();
    settle().await;
    for sessions in &nodes {
        assert_eq!(refusal(sessions, token).await, Some(SessionKickedOut));
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_during_an_outage_holds_here_and_reaches_the_store_later() {
    let (clock, store) = store_on_a_clock();
    let is_down = Arc::new(AtomicBool::new(false));
    let switch = is_down.clone();
    let store = store.before(move |op| {
        let fails = is_down.load(Ordering::SeqCst) && op != Op::Touch;
        async move { if fails { Err(down()) } else { Ok(()) } }
    });
    let (here, there) = (node(&store, &clock), node(&store, &clock));
    let one = here.issue(alice()).await.unwrap();
    let all = here.issue(Identity::new("appid", "bob")).await.unwrap();
    assert_eq!(refusal(&there, one.token().expose()).await, None);
    settle().await;

    switch.store(true, Ordering::SeqCst);
    assert_eq!(
        here.kick_out(one.session()).await.unwrap(),
        Revocation::Pending
    );
    assert_eq!(
        here.revoke_user(all.session().identity()).await.unwrap(),
        Revocation::Pending
    );
    assert_eq!(
        refusal(&here, one.token().expose()).await,
        Some(SessionKickedOut)
    );
    clock.advance(600 * SECOND);
    assert_eq!(
        refusal(&here, one.token().expose()).await,
        Some(SessionKickedOut)
    );
    assert_eq!(
        refusal(&here, all.token().expose()).await,
        Some(SessionRevoked)
    );
    assert_eq!(here.shutdown().await.unwrap_err().kind(), StoreUnavailable);

    switch.store(false, Ordering::SeqCst);
    let again = here.issue(Identity::new("appid", "bob")).await.unwrap();
    here.shutdown().await.unwrap();
    for sessions in [&here, &there] {
        assert_eq!(
            refusal(sessions, one.token().expose()).await,
            Some(SessionKickedOut)
        );
        assert_eq!(
            refusal(sessions, all.token().expose()).await,
            Some(SessionRevoked)
        );
        assert_eq!(refusal(sessions, again.token().expose()).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pending_revocation_leaves_the_pass_of_other_sessions_alone() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    // Enough users for some of them to share a word of the generations with others.
    let mut issued = Vec::new();
    for user in 0..2000 {
        let identity = Identity::new("appid", format!("user{user}"));
        issued.push(sessions.issue(identity).await.unwrap());
    }
    settle().await;
    is_down.store(true, Ordering::SeqCst);
    for revoked in &issued[..1000] {
        let pending = sessions.revoke_user(revoked.session().identity()).await;
        assert_eq!(pending.unwrap(), Revocation::Pending);
    }
    for revoked in &issued[..1000] {
        let kind = refusal(&sessions, revoked.token().expose()).await;
        assert_eq!(kind, Some(SessionRevoked));
    }
    for other in &issued[1000..] {
        assert_eq!(refusal(&sessions, other.token().expose()).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_successor_of_the_session_that_stays_is_never_taken_for_another() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let kept = sessions.issue(alice()).await.unwrap();
    let other = sessions.issue(alice()).await.unwrap();
    let successor = sessions.rotate(kept.session().id()).await.unwrap();
    settle().await;
    is_down.store(true, Ordering::SeqCst);
    let pending = sessions.revoke_others(kept.session()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    let state = async |issued: &Issued| refusal(&sessions, issued.token().expose()).await;
    assert_eq!(state(&successor).await, Some(StoreUnavailable));
    assert_eq!(state(&other).await, Some(StoreUnavailable));

    is_down.store(false, Ordering::SeqCst);
    sessions.shutdown().await.unwrap();
    clock.advance(SECOND);
    assert_eq!(state(&successor).await, None);
    assert_eq!(state(&kept).await, None);
    assert_eq!(state(&other).await, Some(SessionRevoked));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_too_many_fails_and_revokes_nothing() {
    let (clock, store) = store_on_a_clock();
    let is_down = Arc::new(AtomicBool::new(false));
    let switch = is_down.clone();
    let store = store.before(move |op| {
        let fails = is_down.load(Ordering::SeqCst) && op == Op::Revoke;
        async move { if fails { Err(down()) } else { Ok(()) } }
    });
    let sessions = node_with(&store, &clock, |builder| builder.pending_revocations(1));
    let issued = sessions.issue(alice()).await.unwrap();
    switch.store(true, Ordering::SeqCst);
    let mut pending = 0;
    let full = loop {
        match sessions.kick_out(Identity::new("appid", "nobody")).await {
            Ok(_) => pending += 1,
            Err(rejection) => break rejection,
        }
    };
    assert_eq!((pending, full.kind()), (1, StoreUnavailable));
    assert_eq!(
        sessions
            .kick_out(issued.session())
            .await
            .unwrap_err()
            .kind(),
        StoreUnavailable
    );
    assert_eq!(refusal(&sessions, issued.token().expose()).await, None);
}

#[tokio::test]
async fn a_malformed_token_is_told_apart_from_a_missing_session() {
    let sessions = node_in_real_time(MemoryStore::new());
    assert_eq!(refusal(&sessions, "").await, Some(SessionMalformed));
    assert_eq!(refusal(&sessions, "wxs_").await, Some(SessionMalformed));
}

#[tokio::test]
async fn a_store_that_others_can_read_is_not_asked_for_session_keys() {
    let (clock, store) = store_on_a_clock();
    let alone = node(&store, &clock);
    assert_eq!(alone.session_key(&alice()).await.unwrap().newest(), None);
    assert_eq!(store.calls(Op::SessionKeys), 1);

    let shared = node(&store.clone().shared(), &clock);
    let error = shared.session_key(&alice()).await.unwrap_err();
    assert!(matches!(error, SessionKeyError::NotKept), "{error}");
    assert_eq!(store.calls(Op::SessionKeys), 1);
}

#[test]
fn a_handle_outlives_runtimes_and_needs_none_to_be_made() {
    let sessions = node_in_real_time(MemoryStore::new());
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let token = runtime().block_on(log_in(&sessions));
    assert_eq!(runtime().block_on(refusal(&sessions, &token)), None);
    let revoked = runtime().block_on(sessions.revoke_user(&alice())).unwrap();
    assert_eq!(revoked, Revocation::Done(1));
    assert_eq!(
        runtime().block_on(refusal(&sessions, &token)),
        Some(SessionRevoked)
    );
}

#[tokio::test]
async fn what_goes_on_in_the_background_ends_with_the_last_handle() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let store = MemoryStore::new();
    let before = metrics.num_alive_tasks();
    let sessions = node_in_real_time(store.clone());
    let clone = sessions.clone();
    log_in(&sessions).await;
    settle().await;
    assert!(metrics.num_alive_tasks() > before);
    drop(sessions);
    settle().await;
    assert!(metrics.num_alive_tasks() > before);
    drop(clone);
    settle().await;
    assert_eq!(metrics.num_alive_tasks(), before);
}

#[tokio::test]
async fn the_whole_line_of_the_session_that_stays_stays() {
    let sessions = node_in_real_time(MemoryStore::new());
    let first = sessions.issue(alice()).await.unwrap();
    let second = sessions.rotate(first.session().id()).await.unwrap();
    let third = sessions.rotate(second.session().id()).await.unwrap();
    let other = sessions.issue(alice()).await.unwrap();
    let done = sessions.revoke_others(first.session()).await.unwrap();
    assert_eq!(done, Revocation::Done(1));
    for issued in [&first, &second, &third] {
        assert_eq!(refusal(&sessions, issued.token().expose()).await, None);
    }
    let gone = refusal(&sessions, other.token().expose()).await;
    assert_eq!(gone, Some(SessionRevoked));
}
