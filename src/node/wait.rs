//! Waits for the end of a session, for connections that outlive their request.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Node;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{Session, Verdict};
use crate::store::SessionStore;
use crate::token::SessionId;

/// Pause after the store was unavailable.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Against clocks that step back when a session is due.
const SHORTEST: Duration = Duration::from_millis(100);
/// Over how long those who wait spread their reads when the store is back.
const SPREAD: Duration = Duration::from_secs(2);

impl<S: SessionStore> Node<S> {
    /// Waits for the end of a session: looks when something has happened to it, when it would end
    /// by what is known, and once after revocations may have been missed.
    pub(crate) async fn ended(self: Arc<Self>, id: SessionId) -> Rejection {
        let waiter = self.cache.wait_for(id);
        loop {
            self.start();
            // From before the look, so that nothing gets lost between the two.
            let (woken, relinked) = (waiter.woken(), waiter.relinked());
            let left = match self.look_up(id).await {
                Ok(session) => self.time_left(&session),
                Err(unknown) if unknown.kind() == RejectionKind::StoreUnavailable => None,
                Err(ended) => return ended,
            };
            let looked_long_ago = async {
                match left {
                    Some(left) => self.clock.sleep(left).await,
                    None => sleep(READ_AGAIN_AFTER + spread(id)).await,
                }
            };
            tokio::select! {
                () = woken => {}
                () = looked_long_ago => {}
                () = async { relinked.await; sleep(spread(id)).await } => {}
            }
        }
    }

    /// How long the session lasts if nothing happens to it; `None` if it passed only because the
    /// store is unavailable, or is due just now.
    fn time_left(&self, session: &Session) -> Option<Duration> {
        let now = self.clock.read();
        let is_confirmed = matches!(
            self.decide_without_gap(session.known(), now),
            Verdict::Valid { .. }
        );
        is_confirmed.then(|| session.end().since(now.fleet).max(SHORTEST))
    }
}

/// Another share of [`SPREAD`] for each session.
fn spread(id: SessionId) -> Duration {
    let [.., high, low] = *id.as_bytes();
    SPREAD * u32::from(u16::from_be_bytes([high, low])) / u32::from(u16::MAX)
}
