//! A store that is down, or read and not written, for longer than sessions may go unused: who uses
//! a session all the time keeps it, who does not does not, and no code is spent.

use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::RejectionKind::{
    SessionExpired, SessionIdleExpired, SessionKickedOut, StoreUnavailable,
};
use tower_wx_session::sessions::Revocation;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::{Chaos, ChaosStore, ManualClock};
use tower_wx_session::{RejectionKind, Sessions};

use crate::support::desk::Desk;
use crate::support::nodes::{alice, log_in, node_in_real_time, node_with, refusal, settle};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Nodes on one store that a test disturbs.
struct Fleet {
    clock: ManualClock,
    chaos: Chaos,
    store: ChaosStore<MemoryStore>,
    idle_timeout: Duration,
}

type Node = Sessions<ChaosStore<MemoryStore>>;

impl Fleet {
    fn new(idle_timeout: Duration) -> Self {
        let (clock, chaos) = (ManualClock::new(), Chaos::seeded(1));
        let store = MemoryStore::with_clock(clock.clone());
        Self {
            store: ChaosStore::new(store, chaos.clone()),
            clock,
            chaos,
            idle_timeout,
        }
    }

    fn node(&self) -> Node {
        node_with(&self.store, &self.clock, |builder| {
            builder.idle_timeout(self.idle_timeout)
        })
    }

    /// Lets time pass for sessions and tasks.
    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
        sleep(span).await;
        settle().await;
    }

    /// Uses a session every `step`, and returns what was answered but that it is live.
    async fn use_for(
        &self,
        node: &Node,
        token: &str,
        span: Duration,
        step: Duration,
    ) -> Vec<RejectionKind> {
        let mut refusals = Vec::new();
        for _ in 0..span.as_millis() / step.as_millis() {
            self.pass(step).await;
            refusals.extend(refusal(node, token).await);
        }
        refusals
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_outlives_an_outage_longer_than_its_idle_timeout() {
    let fleet = Fleet::new(8 * SECOND);
    let [here, there] = [fleet.node(), fleet.node()];
    let used = log_in(&here).await;
    fleet.chaos.fail(100);
    let refusals = fleet.use_for(&here, &used, 14 * SECOND, SECOND / 2).await;
    assert_eq!(refusals, []);
    fleet.chaos.calm();
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&here, &used).await, None);
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&there, &used).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_was_answered_503_was_not_idle() {
    let fleet = Fleet::new(3 * MINUTE);
    let node = fleet.node();
    let token = log_in(&node).await;
    fleet.chaos.fail(100);
    let refusals = fleet.use_for(&node, &token, 20 * MINUTE, 10 * SECOND).await;
    assert!(refusals.len() > 100, "the grace is over after a minute");
    assert!(refusals.iter().all(|kind| *kind == StoreUnavailable));
    fleet.chaos.calm();
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&node, &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_passes_while_the_store_can_only_be_read() {
    let fleet = Fleet::new(6 * MINUTE);
    let [here, there] = [fleet.node(), fleet.node()];
    let [used, unused] = [log_in(&here).await, log_in(&here).await];
    assert_eq!(refusal(&there, &used).await, None);
    fleet.chaos.refuse_writes();
    for _ in 0..66 {
        let refusals = fleet.use_for(&here, &used, 10 * SECOND, 2 * SECOND).await;
        assert_eq!(refusals, []);
        // It does not know of the uses, and cannot be told of them.
        let elsewhere = refusal(&there, &used).await;
        assert!(matches!(elsewhere, None | Some(StoreUnavailable)));
    }
    assert_eq!(refusal(&here, &unused).await, Some(StoreUnavailable));
    assert_eq!(refusal(&there, &unused).await, Some(StoreUnavailable));
    fleet.chaos.calm();
    assert_eq!(refusal(&here, &used).await, None);
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&there, &used).await, None);
    assert_eq!(refusal(&there, &unused).await, Some(StoreUnavailable));
    fleet.pass(6 * SECOND).await;
    assert_ne!(refusal(&here, &unused).await, None);
    assert_ne!(refusal(&there, &unused).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_lay_idle_in_an_outage_is_not_revived() {
    for is_down in [true, false] {
        let fleet = Fleet::new(30 * SECOND);
        let node = fleet.node();
        let token = log_in(&node).await;
        match is_down {
            true => fleet.chaos.fail(100),
            false => fleet.chaos.refuse_writes(),
        }
        fleet.use_for(&node, &token, MINUTE / 2, 5 * SECOND).await;
        fleet.pass(40 * SECOND).await;
        for _ in 0..3 {
            assert_eq!(refusal(&node, &token).await, Some(StoreUnavailable));
            fleet.pass(SECOND).await;
        }
        fleet.chaos.calm();
        fleet.pass(SECOND).await;
        refusal(&node, &token).await;
        fleet.pass(6 * SECOND).await;
        assert_eq!(refusal(&node, &token).await, Some(SessionIdleExpired));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_revoked_in_an_outage_is_not_revived() {
    let fleet = Fleet::new(3 * MINUTE);
    let [here, there] = [fleet.node(), fleet.node()];
    let issued = here.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    assert_eq!(refusal(&there, token).await, None);
    settle().await;
    fleet.chaos.refuse_writes();
    let refusals = fleet.use_for(&here, token, 2 * MINUTE, 5 * SECOND).await;
    assert_eq!(refusals, []);
    let pending = there.kick_out(issued.session()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    let refusals = fleet.use_for(&here, token, 2 * MINUTE, 5 * SECOND).await;
    assert_eq!(refusals, [], "nobody can tell this node");
    fleet.chaos.calm();
    fleet.pass(SECOND).await;
    for node in [&here, &there, &fleet.node()] {
        assert_eq!(refusal(node, token).await, Some(SessionKickedOut));
    }
}

#[tokio::test(start_paused = true)]
async fn the_absolute_end_comes_in_an_outage_too() {
    let fleet = Fleet::new(30 * SECOND);
    let node = node_with(&fleet.store, &fleet.clock, |builder| {
        builder.idle_timeout(6 * MINUTE).lifetime(10 * MINUTE)
    });
    let token = log_in(&node).await;
    fleet.chaos.refuse_writes();
    let refusals = fleet
        .use_for(&node, &token, 10 * MINUTE - SECOND, SECOND)
        .await;
    assert_eq!(refusals, []);
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&node, &token).await, Some(SessionExpired));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_ready_while_users_can_log_in() {
    let fleet = Fleet::new(MINUTE);
    let node = fleet.node();
    for disturb in [|chaos: &Chaos| chaos.fail(100), Chaos::refuse_writes] {
        disturb(&fleet.chaos);
        // A write that was done within the last second says enough.
        fleet.pass(2 * SECOND).await;
        for _ in 0..10 {
            let refused = node.ready().await.unwrap_err();
            assert_eq!(refused.kind(), StoreUnavailable);
        }
        fleet.chaos.calm();
        fleet.pass(SECOND).await;
        node.ready().await.unwrap();
    }
}

#[tokio::test]
async fn no_code_is_spent_while_the_store_cannot_be_written() {
    let chaos = Chaos::seeded(1);
    let store = ChaosStore::new(MemoryStore::new(), chaos.clone());
    let sessions = node_in_real_time(store);
    let desk = Desk::of(&sessions).await;
    chaos.refuse_writes();
    desk.refuses(20).await;
    chaos.calm();
    let answer = desk.log_in("alice").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}
