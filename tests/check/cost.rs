//! What a fleet costs its store.

use std::collections::BTreeSet;
use std::time::Duration;

use tower_wx_session::store::{FeedEvent, SessionStore, Timestamp};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, Sessions};

use crate::support::nodes::{alice, log_in, node, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op};

const SECOND: Duration = Duration::from_secs(1);
/// A confirmation is good for so many seconds,
const FRESH_FOR: usize = 30;
/// and renewed in the background after four fifths of them.
const CONFIRMED_AFTER: usize = 24;
/// A tenth of the idle timeout of two hours.
const SLACK: usize = 720;
/// Seconds from one use of the session to the next.
const USED_EVERY: usize = 4;

/// Where the session is used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Use {
    /// On one node after the other, as a balancer deals requests.
    InTurn,
    /// On every node: the most that a fleet can ask of its store.
    Everywhere,
}

/// What one session in use has a fleet ask of its store.
#[derive(Debug)]
struct Asked {
    loads: usize,
    touches: usize,
    /// Touches that changed something.
    writes: usize,
}

/// Nodes that know one session.
struct Fleet {
    clock: ManualClock,
    store: HookedStore,
    nodes: Vec<Sessions<HookedStore>>,
    token: String,
}

impl Fleet {
    async fn new(nodes: usize) -> Self {
        let (clock, store) = store_on_a_clock();
        let nodes: Vec<_> = (0..nodes).map(|_| node(&store, &clock)).collect();
        let token = log_in(&nodes[0]).await;
        for sessions in &nodes {
            assert_eq!(refusal(sessions, &token).await, None);
        }
        settle().await;
        Self {
            clock,
            store,
            nodes,
            token,
        }
    }

    async fn use_for(&self, seconds: usize, used: Use) -> Asked {
        let nodes = self.nodes.len();
        let calls = |op| self.store.calls(op);
        let (loads, touches) = (calls(Op::Load), calls(Op::Touch));
        let mut deadlines = BTreeSet::from([self.idle_deadline().await]);
        for time in 0..seconds / USED_EVERY {
            for (number, sessions) in self.nodes.iter().enumerate() {
                // No two of them are told the same time of use.
                self.clock
                    .advance(USED_EVERY as u32 * SECOND / nodes as u32);
                if used == Use::Everywhere || time % nodes == number {
                    assert_eq!(refusal(sessions, &self.token).await, None);
                    settle().await;
                    deadlines.insert(self.idle_deadline().await);
                }
            }
        }
        Asked {
            loads: calls(Op::Load) - loads,
            touches: calls(Op::Touch) - touches,
            writes: deadlines.len() - 1,
        }
    }

    /// What the store has of the session.
    async fn idle_deadline(&self) -> Timestamp {
        let kept = self.store.inner.list(alice()).await.unwrap();
        kept[0].1.idle_deadline
    }
}

#[tokio::test]
async fn reads_grow_with_nodes_and_time_and_messages_with_revocations_only() {
    for nodes in [1, 4, 16] {
        let fleet = Fleet::new(nodes).await;
        let mut feed = fleet.store.inner.subscribe().await.unwrap();
        let asked = fleet.use_for(2 * SLACK, Use::Everywhere).await;
        let (least, most) = (2 * SLACK / FRESH_FOR, 2 * SLACK / CONFIRMED_AFTER);
        let loads = nodes * least..=nodes * most;
        assert!(loads.contains(&asked.loads), "{nodes} nodes: {asked:?}");
        // Each node that sees uses tells the store, and one of them has it write.
        assert!(asked.touches <= 2 * nodes, "{nodes} nodes: {asked:?}");
        assert!((1..=2).contains(&asked.writes), "{nodes} nodes: {asked:?}");

        fleet.nodes[0].revoke_user(&alice()).await.unwrap();
        let Some(FeedEvent::Changed(sessions)) = feed.next().await else {
            panic!("something else than the revocation came first");
        };
        assert_eq!(sessions.len(), 1);
    }
}

/// The more nodes there are, the more each hears of the others' touches as it loads.
#[tokio::test]
async fn behind_a_balancer_that_takes_turns_many_nodes_touch_as_seldom_as_one() {
    const TENTHS: usize = 5;
    for (nodes, touches) in [(4, 3), (16, 1)] {
        let fleet = Fleet::new(nodes).await;
        let asked = fleet.use_for(TENTHS * SLACK, Use::InTurn).await;
        // A node asks when its turn comes for the first time after it is due.
        let renewed_after = CONFIRMED_AFTER.next_multiple_of(nodes * USED_EVERY);
        let loads = nodes * (TENTHS * SLACK).div_ceil(renewed_after);
        assert!(asked.loads <= loads, "{nodes} nodes: {asked:?}");
        assert!(
            asked.touches <= touches * TENTHS,
            "{nodes} nodes: {asked:?}"
        );
        println!("{nodes} nodes: {asked:?}");
    }
}

/// What others do costs the sessions of a node nothing, but for few of them.
#[tokio::test]
async fn three_thousand_ends_elsewhere_have_few_sessions_loaded_again() {
    const WARM: usize = 300;
    let (clock, store) = store_on_a_clock();
    let (here, elsewhere) = (node(&store, &clock), node(&store, &clock));
    log_in(&here).await;
    settle().await;
    let mut warm = Vec::new();
    for _ in 0..WARM {
        let token = log_in(&here).await;
        assert_eq!(refusal(&here, &token).await, None);
        warm.push(token);
    }
    for other in 0..3000 {
        let user = Identity::new("appid", format!("other{other}"));
        let issued = elsewhere.issue(user).await.unwrap();
        elsewhere.kick_out(issued.session()).await.unwrap();
        if other % 100 == 99 {
            settle().await;
        }
    }
    let loads = store.calls(Op::Load);
    for token in &warm {
        assert_eq!(refusal(&here, token).await, None);
    }
    let loads = store.calls(Op::Load) - loads;
    assert!(loads <= WARM / 20, "{loads} of {WARM} were loaded again");
}
