//! A revoked session never comes back, whatever races with the revocation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tower_wx_session::RejectionKind::{SessionKickedOut, SessionRevoked};
use tower_wx_session::sessions::Issued;
use tower_wx_session::store::{MemoryStore, RevokeReason, SessionStore, Touch};
use tower_wx_session::{Identity, Rejection, RejectionKind, Session, Sessions};

use crate::support::nodes::{node, node_in_real_time, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op};

const ROUNDS: usize = 1000;

/// Holds one operation at a point of its course.
#[derive(Clone, Default)]
struct Hold {
    armed: Arc<AtomicBool>,
    reached: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Hold {
    async fn pass(self, is_meant: bool) {
        if is_meant && self.armed.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            self.go_on.notified().await;
        }
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    fn before(&self, store: HookedStore, meant: Op) -> HookedStore {
        let hold = self.clone();
        store.before(move |op| {
            let hold = hold.clone();
            async move {
                hold.pass(op == meant).await;
                Ok(())
            }
        })
    }

    fn after(&self, store: HookedStore, meant: Op) -> HookedStore {
        let hold = self.clone();
        store.after(move |op| {
            let hold = hold.clone();
            async move {
                hold.pass(op == meant).await;
                Ok(())
            }
        })
    }
}

fn spawn_check(
    sessions: &Sessions<HookedStore>,
    issued: &Issued,
) -> tokio::task::JoinHandle<Result<Session, Rejection>> {
    let (sessions, token) = (sessions.clone(), issued.token().clone());
    tokio::spawn(async move { sessions.check(token.expose()).await })
}

async fn issue(sessions: &Sessions<HookedStore>, user: &str) -> Issued {
    sessions.issue(Identity::new("appid", user)).await.unwrap()
}

async fn refused(sessions: &Sessions<HookedStore>, issued: &Issued) -> Option<RejectionKind> {
    refusal(sessions, issued.token().expose()).await
}

/// The load has read the session as live; then the whole revocation happens, here or on another
/// node; then the answer arrives. Here the tombstone tells, elsewhere only the generation.
#[tokio::test]
async fn a_load_that_began_before_the_revocation_brings_nothing_back() {
    let (clock, store) = store_on_a_clock();
    let hold = Hold::default();
    let store = hold.after(store, Op::Load);
    let (issuer, sessions) = (node(&store, &clock), node(&store, &clock));
    for round in 0..ROUNDS {
        let issued = issue(&issuer, &format!("user{}", round % 7)).await;
        hold.arm();
        let checking = spawn_check(&sessions, &issued);
        hold.reached.notified().await;

        let is_elsewhere = round % 2 == 1;
        let revoking = if is_elsewhere { &issuer } else { &sessions };
        revoking.kick_out(issued.session()).await.unwrap();
        clock.advance(Duration::from_secs(1));
        settle().await;
        hold.go_on.notify_one();

        let raced = checking.await.unwrap();
        assert_eq!(raced.unwrap_err().kind(), SessionKickedOut, "round {round}");
        assert_eq!(refused(&sessions, &issued).await, Some(SessionKickedOut));
    }
}

/// The revocation has begun on this node and has not reached the store, which still says live.
/// Only the tombstone tells, and the generation that what is cached is no longer to be trusted.
#[tokio::test]
async fn a_load_that_begins_while_the_store_is_being_told_brings_nothing_back() {
    let (clock, store) = store_on_a_clock();
    let hold = Hold::default();
    let store = hold.before(store, Op::Revoke);
    let (issuer, sessions) = (node(&store, &clock), node(&store, &clock));
    for round in 0..ROUNDS {
        let issued = issue(&issuer, &format!("user{}", round % 7)).await;
        let is_user_wide = round % 2 == 1;
        let is_cached = round % 4 >= 2;
        if is_cached {
            assert_eq!(refused(&sessions, &issued).await, None, "round {round}");
        }
        hold.arm();
        let revoking = tokio::spawn({
            let (sessions, session) = (sessions.clone(), issued.session().clone());
            async move {
                if is_user_wide {
                    sessions.kick_out(session.identity()).await
                } else {
                    sessions.kick_out(&session).await
                }
            }
        });
        hold.reached.notified().await;

        assert_eq!(
            refused(&sessions, &issued).await,
            Some(SessionKickedOut),
            "round {round}"
        );
        hold.go_on.notify_one();
        revoking.await.unwrap().unwrap();
        assert_eq!(
            refused(&sessions, &issued).await,
            Some(SessionKickedOut),
            "round {round}"
        );
        clock.advance(Duration::from_secs(10));
        assert_eq!(
            refused(&sessions, &issued).await,
            Some(SessionKickedOut),
            "round {round}"
        );
    }
}

/// A session that other requests hold, and that is in the cache, is over with the revocation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_that_begins_after_a_revocation_passes() {
    let sessions = node_in_real_time(MemoryStore::new());
    for round in 0..ROUNDS {
        let issued = sessions
            .issue(Identity::new("appid", "alice"))
            .await
            .unwrap();
        let token = issued.token().expose().to_owned();
        let is_over = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (sessions, token, is_over) = (sessions.clone(), token.clone(), is_over.clone());
                tokio::spawn(async move {
                    loop {
                        let was_over = is_over.load(Ordering::SeqCst);
                        let passed = sessions.check(&token).await.is_ok();
                        assert!(!(was_over && passed), "a revoked session passed");
                        if was_over {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        match round % 3 {
            0 => sessions.kick_out(issued.session()).await.unwrap(),
            1 => sessions
                .revoke_user(issued.session().identity())
                .await
                .unwrap(),
            _ => {
                // The successor takes its predecessor along.
                let rotated = sessions.rotate(issued.session().id()).await.unwrap();
                let revocation = sessions.kick_out(issued.session()).await.unwrap();
                let successor = rotated.token().expose();
                assert_eq!(refusal(&sessions, successor).await, Some(SessionKickedOut));
                revocation
            }
        };
        is_over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_touch_that_loses_to_a_revocation_changes_nothing() {
    let (clock, store) = store_on_a_clock();
    let hold = Hold::default();
    let store = hold.before(store, Op::Touch);
    let sessions = node(&store, &clock);
    let issued = issue(&sessions, "alice").await;
    let id = issued.session().id();

    hold.arm();
    clock.advance(Duration::from_secs(3600));
    assert_eq!(refused(&sessions, &issued).await, None);
    hold.reached.notified().await;
    sessions.revoke(id, RevokeReason::LoggedOut).await.unwrap();
    let revoked = store.inner.load(id).await.unwrap();
    hold.go_on.notify_one();
    sessions.shutdown().await.unwrap();

    assert_eq!(store.calls(Op::Touch), 1);
    assert_eq!(store.inner.load(id).await.unwrap(), revoked);
    let touch = Touch::new(id, clock.now(), Duration::from_secs(1));
    assert_eq!(store.touch(touch).await.unwrap(), None);
    assert_eq!(refused(&sessions, &issued).await, Some(SessionRevoked));
}
