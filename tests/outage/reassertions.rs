//! What was ended in the last minutes is written again over a new link: a failover may have lost it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::RejectionKind::SessionKickedOut;
use tower_wx_session::store::{MemoryStore, Revoke, RevokeReason, SessionStore};
use tower_wx_session::test_util::{Chaos, ChaosStore, ManualClock};
use tower_wx_session::{Identity, Sessions};

use crate::support::nodes::{alice, log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op};

const SECOND: Duration = Duration::from_secs(1);

/// Has the node lose its link: more events than the link holds, while it cannot take them in.
async fn cut_link(store: &MemoryStore, sessions: &Sessions<HookedStore>) {
    let mut ids = Vec::new();
    let bob = Identity::new("appid", "bob");
    for _ in 0..1100 {
        ids.push(sessions.issue(bob.clone()).await.unwrap().session().id());
    }
    settle().await;
    for id in ids {
        let revoke = Revoke::new(id, RevokeReason::LoggedOut);
        store.revoke(revoke).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn revocations_of_the_last_ten_minutes_are_repeated_over_a_new_link() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let first = sessions.issue(alice()).await.unwrap();
    sessions.kick_out(first.session()).await.unwrap();
    clock.advance(10 * 60 * SECOND);
    let second = sessions.issue(alice()).await.unwrap();
    sessions.kick_out(second.session()).await.unwrap();
    let calls = store.calls(Op::Revoke);

    cut_link(&store.inner, &sessions).await;
    sleep(3 * SECOND).await;
    assert_eq!(store.calls(Op::Revoke), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_after_a_revocation_survives_its_repetition() {
    let (clock, store) = store_on_a_clock();
    let (admin, sessions) = (node(&store, &clock), node(&store, &clock));
    for revoking in [&sessions, &admin] {
        log_in(&sessions).await;
        settle().await;
        revoking.revoke_user(&alice()).await.unwrap();
        let new = log_in(&sessions).await;
        clock.advance(60 * SECOND);
        assert_eq!(refusal(&sessions, &new).await, None);
        cut_link(&store.inner, &sessions).await;
        sleep(3 * SECOND).await;
        assert_eq!(refusal(&sessions, &new).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_spares_what_took_the_place_of_the_session_that_stays() {
    let (clock, store) = store_on_a_clock();
    let sessions = node_with(&store, &clock, |builder| builder.idle_timeout(60 * SECOND));
    let first = sessions.issue(alice()).await.unwrap();
    sessions.revoke_others(first.session()).await.unwrap();
    let kept = sessions.rotate(first.session().id()).await.unwrap();
    for _ in 0..10 {
        clock.advance(30 * SECOND);
        assert_eq!(refusal(&sessions, kept.token().expose()).await, None);
        settle().await;
    }
    cut_link(&store.inner, &sessions).await;
    sleep(3 * SECOND).await;
    assert_eq!(refusal(&sessions, kept.token().expose()).await, None);
}

/// One that fails, or is never answered, holds up no other and is tried again.
#[tokio::test(start_paused = true)]
async fn each_revocation_is_repeated_until_the_store_takes_it() {
    let (clock, store) = store_on_a_clock();
    let hangs = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&hangs);
    let store = store.before(move |op| {
        let less = |left: usize| left.checked_sub(1);
        let hangs = op == Op::Revoke
            && (left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)).is_ok();
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    let sessions = node(&store, &clock);
    for _ in 0..5 {
        let issued = sessions.issue(alice()).await.unwrap();
        sessions.kick_out(issued.session()).await.unwrap();
    }
    let calls = store.calls(Op::Revoke);
    hangs.store(2, Ordering::SeqCst);
    cut_link(&store.inner, &sessions).await;
    sleep(5 * SECOND).await;
    assert_eq!(store.calls(Op::Revoke), calls + 5 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_revocation_holds_again() {
    let clock = ManualClock::new();
    let chaos = Chaos::seeded(1);
    let store = ChaosStore::new(MemoryStore::with_clock(clock.clone()), chaos.clone());
    let [here, there] = [node(&store, &clock), node(&store, &clock)];
    let issued = here.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    settle().await;
    chaos.lose_writes();
    here.kick_out(issued.session()).await.unwrap();
    assert_eq!(refusal(&there, token).await, None, "it was lost");
    chaos.cut_links();
    settle().await;
    clock.advance(10 * SECOND);
    assert_eq!(refusal(&here, token).await, Some(SessionKickedOut));
    assert_eq!(refusal(&there, token).await, None, "nobody told it");
    chaos.calm();
    sleep(3 * SECOND).await;
    clock.advance(10 * SECOND);
    assert_eq!(refusal(&there, token).await, Some(SessionKickedOut));
    assert_eq!(refusal(&here, token).await, Some(SessionKickedOut));
}
