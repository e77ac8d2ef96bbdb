use std::sync::Weak;
use std::time::Duration;

use tokio::time::sleep;

use super::node::Node;
use crate::meter;
use crate::store::SessionStore;

/// How old the number of cached sessions that operators see may be.
const REPORT_AFTER: Duration = Duration::from_secs(5);

/// Tells operators from time to time what changes without an event, while `work` goes on.
pub(super) async fn reporting<S: SessionStore>(
    node: Weak<Node<S>>,
    work: impl Future<Output = ()>,
) {
    let report = async {
        meter::link(false);
        while let Some(node) = node.upgrade() {
            meter::breaker(node.breaker.is_open());
            meter::cached(node.cache.count());
            meter::pending_revocations(node.background.revocations.waiting());
            drop(node);
            sleep(REPORT_AFTER).await;
        }
    };
    tokio::select! {
        biased;
        () = report => {}
        () = work => {}
    }
}
