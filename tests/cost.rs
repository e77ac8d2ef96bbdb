//! What a fleet costs its store.
#![cfg(feature = "test-util")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use support::Op;
use support::nodes::{alice, log_in, node, refusal, settle, store_on_a_clock};
use tower_wx_session::store::{FeedEvent, SessionStore};

const SECOND: Duration = Duration::from_secs(1);
/// A session in use is confirmed at four fifths of the 30 s that a confirmation is good for.
const CONFIRMED_EVERY: usize = 24;
const SECONDS: usize = 1200;

#[tokio::test]
async fn reads_grow_with_nodes_and_time_and_messages_with_revocations_only() {
    for nodes in [1, 4, 16] {
        let (clock, store) = store_on_a_clock();
        let fleet: Vec<_> = (0..nodes).map(|_| node(&store, &clock)).collect();
        let token = log_in(&fleet[0]).await;
        for sessions in &fleet {
            assert_eq!(refusal(sessions, &token).await, None);
        }
        settle().await;
        let mut feed = store.inner.subscribe().await.unwrap();
        let (loads, touches) = (store.calls(Op::Load), store.calls(Op::Touch));
        for _ in 0..SECONDS {
            clock.advance(SECOND);
            for sessions in &fleet {
                assert_eq!(refusal(sessions, &token).await, None);
            }
            settle().await;
        }
        let loads = store.calls(Op::Load) - loads;
        assert_eq!(loads, nodes * SECONDS / CONFIRMED_EVERY, "{nodes} nodes");
        // At most one per tenth of the idle timeout of two hours, from each node that sees uses.
        let touches = store.calls(Op::Touch) - touches;
        assert!(touches <= nodes * (SECONDS / 720 + 1), "{touches} touches");

        fleet[0].revoke_user(&alice()).await.unwrap();
        let Some(FeedEvent::Changed(sessions)) = feed.next().await else {
            panic!("something else than the revocation came first");
        };
        assert_eq!(sessions.len(), 1);
    }
}
