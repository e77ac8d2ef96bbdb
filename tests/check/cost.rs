//! What a fleet costs its store.

use std::collections::BTreeSet;
use std::time::Duration;

use tower_wx_session::Identity;
use tower_wx_session::store::{FeedEvent, SessionStore, Timestamp};

use crate::support::nodes::{alice, log_in, node, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op};

const SECOND: Duration = Duration::from_secs(1);
/// A confirmation is good for so many seconds,
const FRESH_FOR: usize = 30;
/// and renewed in the background after four fifths of them.
const CONFIRMED_AFTER: usize = 24;
/// A tenth of the idle timeout of two hours.
const SLACK: usize = 720;
const SECONDS: usize = 2 * SLACK;
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

#[tokio::test]
async fn reads_grow_with_nodes_and_time_and_messages_with_revocations_only() {
    for (used, nodes) in [
        (Use::Everywhere, 1),
        (Use::Everywhere, 4),
        (Use::Everywhere, 16),
        (Use::InTurn, 4),
        (Use::InTurn, 16),
    ] {
        let (clock, store) = store_on_a_clock();
        let fleet: Vec<_> = (0..nodes).map(|_| node(&store, &clock)).collect();
        let token = log_in(&fleet[0]).await;
        for sessions in &fleet {
            assert_eq!(refusal(sessions, &token).await, None);
        }
        settle().await;
        let mut feed = store.inner.subscribe().await.unwrap();
        let (loads, touches) = (store.calls(Op::Load), store.calls(Op::Touch));
        let mut deadlines = BTreeSet::from([idle_deadline(&store).await]);
        for time in 0..SECONDS / USED_EVERY {
            for (number, sessions) in fleet.iter().enumerate() {
                // No two of them are told the same time of use.
                clock.advance(USED_EVERY as u32 * SECOND / nodes as u32);
                if used == Use::Everywhere || time % nodes == number {
                    assert_eq!(refusal(sessions, &token).await, None);
                    settle().await;
                    deadlines.insert(idle_deadline(&store).await);
                }
            }
        }
        let case = format!("{used:?}, {nodes} nodes");
        let loads = store.calls(Op::Load) - loads;
        let each = USED_EVERY * if used == Use::InTurn { nodes } else { 1 };
        let renewed_after = CONFIRMED_AFTER.next_multiple_of(each);
        let least = SECONDS / FRESH_FOR.max(renewed_after);
        let most = SECONDS.div_ceil(renewed_after);
        assert!(loads >= nodes * least, "{loads} loads, {case}");
        assert!(loads <= nodes * most, "{loads} loads, {case}");
        // Each node that sees uses tells the store, and one of them has it write.
        let touches = store.calls(Op::Touch) - touches;
        assert!(
            touches <= nodes * SECONDS / SLACK,
            "{touches} touches, {case}"
        );
        let writes = deadlines.len() - 1;
        assert!(
            (1..=SECONDS / SLACK).contains(&writes),
            "{writes} writes, {case}"
        );
        println!("{case}: {loads} loads, {touches} touches, {writes} writes");

        fleet[0].revoke_user(&alice()).await.unwrap();
        let Some(FeedEvent::Changed(sessions)) = feed.next().await else {
            panic!("something else than the revocation came first");
        };
        assert_eq!(sessions.len(), 1);
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

/// What the store has of the one session.
async fn idle_deadline(store: &HookedStore) -> Timestamp {
    let kept = store.inner.list(alice()).await.unwrap();
    kept[0].1.idle_deadline
}
