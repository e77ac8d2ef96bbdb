//! What the end and the start of the link that carries revocations cost, and what they let through.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_wx_session::RejectionKind::SessionKickedOut;
use tower_wx_session::sessions::Issued;
use tower_wx_session::store::{FeedEvent, Revoke, RevokeReason, SessionStore};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, Sessions};

use crate::support::nodes::{node, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Links, Op};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// As often as a link to Redis.
const BEAT: Duration = Duration::from_millis(500);
const ACTIVE: usize = 1000;

/// A node whose link is in the test's hands.
struct World {
    clock: ManualClock,
    store: HookedStore,
    links: Links,
    sessions: Sessions<HookedStore>,
}

impl World {
    /// A node with a link that has been up for a while.
    async fn new() -> Self {
        let (clock, store) = store_on_a_clock();
        let links = Links::default();
        let store = store.with_links(&links);
        let sessions = node(&store, &clock);
        let world = Self {
            clock,
            store,
            links,
            sessions,
        };
        world.issue("nobody").await;
        settle().await;
        assert!(world.links.is_up());
        world.beat_for(2 * SECOND).await;
        world
    }

    async fn issue(&self, user: &str) -> Issued {
        let user = Identity::new("appid", user);
        self.sessions.issue(user).await.unwrap()
    }

    async fn beat(&self) {
        self.links.tell(FeedEvent::Heartbeat(self.clock.now()));
        settle().await;
    }

    async fn beat_for(&self, span: Duration) {
        for _ in 0..span.as_millis() / BEAT.as_millis() {
            self.clock.advance(BEAT);
            self.beat().await;
        }
    }

    async fn cut_link(&self) {
        self.links.cut();
        settle().await;
    }

    /// A node asks for another link after a second.
    async fn wait_for_link(&self) {
        sleep(SECOND).await;
        settle().await;
        assert!(self.links.is_up());
    }

    /// Another node ends a session, which this one is not told of.
    async fn end_elsewhere(&self, issued: &Issued) {
        let revoke = Revoke::new(issued.session().id(), RevokeReason::KickedOut);
        assert_eq!(self.store.inner.revoke(revoke).await.unwrap().len(), 1);
    }

    async fn passes(&self, issued: &Issued) -> bool {
        match refusal(&self.sessions, issued.token().expose()).await {
            None => true,
            Some(kind) => {
                assert_eq!(kind, SessionKickedOut);
                false
            }
        }
    }

    /// Sessions in use for long, confirmed 5 s ago.
    async fn active(&self) -> Vec<Issued> {
        let mut active = Vec::new();
        for user in 0..ACTIVE {
            active.push(self.issue(&format!("user{user}")).await);
        }
        self.beat_for(5 * SECOND).await;
        self.use_all(&active).await;
        active
    }

    /// Uses every session; how often the store was asked for one.
    async fn use_all(&self, active: &[Issued]) -> usize {
        let before = self.store.calls(Op::Load);
        for issued in active {
            assert!(self.passes(issued).await);
        }
        for _ in 0..10 {
            settle().await;
        }
        self.store.calls(Op::Load) - before
    }

    /// Uses every session each 100 ms; how often the store was asked in each of them.
    async fn use_for(&self, active: &[Issued], span: Duration, beats: bool) -> Vec<usize> {
        let mut loads = Vec::new();
        for step in 0..span.as_millis() / 100 {
            loads.push(self.use_all(active).await);
            self.clock.advance(100 * MILLISECOND);
            if beats && step % 5 == 4 {
                self.beat().await;
            }
        }
        loads
    }
}

/// A link that ends and comes back a second later: nobody waits, and the store is asked once for
/// each session, over all of the time that there is.
#[tokio::test(start_paused = true)]
async fn the_end_and_the_start_of_a_link_have_no_crowd_of_sessions_loaded_at_once() {
    let world = World::new().await;
    let active = world.active().await;
    world.cut_link().await;
    let ended = world.use_for(&active, SECOND, false).await;
    world.wait_for_link().await;
    let started = world.use_for(&active, 3 * SECOND, true).await;

    let loads: Vec<_> = ended.iter().chain(&started).copied().collect();
    assert!(loads[0] < ACTIVE / 10, "after the end: {loads:?}");
    assert!(started[0] < ACTIVE / 10, "after the start: {loads:?}");
    assert!(loads.iter().all(|loads| *loads < ACTIVE / 5), "{loads:?}");
    // Some are confirmed without a link, and once more over the new one.
    let all = loads.iter().sum::<usize>();
    assert!((ACTIVE..3 * ACTIVE / 2).contains(&all), "{all}: {loads:?}");
    assert_eq!(world.use_all(&active).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_silent_has_no_crowd_of_sessions_loaded_at_once() {
    let world = World::new().await;
    let active = world.active().await;
    assert_eq!(world.use_for(&active, 2 * SECOND, false).await, [0; 20]);
    world.clock.advance(MILLISECOND);
    let loads = world.use_for(&active, 5 * BEAT, false).await;
    assert!(
        loads[..5].iter().all(|loads| *loads < ACTIVE / 2),
        "{loads:?}"
    );
    assert!(loads[0] < ACTIVE / 10, "{loads:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_revoked_as_the_link_ends_passes_for_three_seconds_at_most() {
    let world = World::new().await;
    let issued = world.issue("alice").await;
    world.beat_for(5 * SECOND).await;
    // After the question that the last heartbeat answers, and it was not told of.
    world.end_elsewhere(&issued).await;
    world.cut_link().await;
    world.clock.advance(2 * SECOND);
    assert!(world.passes(&issued).await, "it is vouched for");
    world.clock.advance(SECOND);
    assert!(!world.passes(&issued).await);
}

/// The new link has not told of what happened before it, and never will.
#[tokio::test(start_paused = true)]
async fn what_is_revoked_between_two_links_passes_for_three_seconds_at_most() {
    let world = World::new().await;
    let issued = world.issue("alice").await;
    world.beat_for(5 * SECOND).await;
    world.cut_link().await;
    world.end_elsewhere(&issued).await;
    world.wait_for_link().await;
    world.beat_for(3 * SECOND).await;
    assert!(!world.passes(&issued).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_revoked_in_a_silence_passes_for_three_seconds_at_most() {
    let world = World::new().await;
    let [issued, other] = [world.issue("alice").await, world.issue("bob").await];
    world.beat_for(5 * SECOND).await;
    world.end_elsewhere(&issued).await;
    world.end_elsewhere(&other).await;
    world.clock.advance(3 * SECOND);
    assert!(!world.passes(&issued).await);
    // The same link is heard again.
    world.beat_for(2 * SECOND).await;
    assert!(!world.passes(&other).await);
}

/// Whoever waits for the end of a session looks once when the link is back: what counts for
/// requests meanwhile is no answer then.
#[tokio::test(start_paused = true)]
async fn who_waits_for_an_end_asks_the_store_when_the_link_is_back() {
    let world = World::new().await;
    let issued = world.issue("alice").await;
    world.beat_for(5 * SECOND).await;
    let ended = tokio::spawn(world.sessions.ended(issued.session().id()));
    settle().await;
    world.cut_link().await;
    // It has looked at what is known without a link.
    sleep(SECOND / 2).await;
    world.end_elsewhere(&issued).await;
    let ended = timeout(4 * SECOND, ended).await;
    assert_eq!(ended.unwrap().unwrap().kind(), SessionKickedOut);
}
