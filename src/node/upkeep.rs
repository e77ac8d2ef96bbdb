use std::sync::Weak;
use std::time::Duration;

use tokio::time::sleep;

use super::Node;
use crate::observe::meter;
use crate::store::SessionStore;

/// How long after its time something may be forgotten on a node with nothing to do, and how old
/// the number of cached sessions that operators see may be.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Does from time to time what no event brings about, while `work` goes on: forgets what is over,
/// and sets the gauges.
pub(super) async fn beside<S: SessionStore>(node: Weak<Node<S>>, work: impl Future<Output = ()>) {
    let upkeep = async {
        meter::begins();
        while let Some(node) = node.upgrade() {
            node.cache.forget_what_is_over(node.clock.uptime());
            node.upstream.forget_deserted();
            node.report();
            drop(node);
            sleep(AGAIN_AFTER).await;
        }
    };
    tokio::select! {
        biased;
        () = upkeep => {}
        () = work => {}
    }
}

impl<S: SessionStore> Node<S> {
    fn report(&self) {
        meter::breaker(self.upstream.is_open());
        meter::cached(self.cache.len());
        meter::pending_revocations(self.revocations.waiting());
    }
}
