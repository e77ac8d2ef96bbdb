use std::future::Future;

use tokio::time::timeout;

use super::Sessions;
use crate::rejection::{Rejection, RejectionKind};
use crate::store::SessionStore;

/// The longest that [`Sessions::flush`] waits, in store deadlines: a turn, and the write.
const FLUSH_DEADLINES: u32 = 2;
/// The longest that [`Sessions::shutdown`] waits, in store deadlines.
const SHUTDOWN_DEADLINES: u32 = 20;

impl<S: SessionStore> Sessions<S> {
    /// Writes what was noted before the call and the store does not have yet: uses, and revocations
    /// that wait for it.
    ///
    /// For handlers on a host that freezes once it has the response, such as functions as a service:
    /// what goes on in the background would stop there. [The guide page](crate::guide::functions)
    /// says more. Anywhere else nothing has to be flushed; at the end of the process
    /// [`shutdown`](Self::shutdown) does it.
    ///
    /// It holds nobody up, and where there is nothing to write it is done at once. A later use of the
    /// same session prolongs it by one write at most, that of another one does not. What failed
    /// before is tried again meanwhile. The future may be dropped: what it waits for goes on.
    ///
    /// ```
    /// use tower_wx_session::{Identity, Sessions, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_wx_session::Rejection> {
    /// let sessions = Sessions::new(MemoryStore::new());
    /// let issued = sessions.issue(Identity::new("appid", "openid")).await?;
    /// sessions.check(issued.token().expose()).await?;
    /// sessions.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable) if that takes longer than two store
    /// deadlines (500 ms by default). It then goes on in the background.
    pub async fn flush(&self) -> Result<(), Rejection> {
        if self.node.is_flushed() {
            return Ok(());
        }
        self.within(FLUSH_DEADLINES, self.node.flush()).await
    }

    /// Writes all that the store does not have yet, also what comes meanwhile: uses, and revocations
    /// that wait for it.
    ///
    /// For the end of the process, after the server has stopped: what is still pending then is lost.
    /// The handle stays usable. A handler awaits [`flush`](Self::flush) instead.
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable) if that takes longer than 20 store
    /// deadlines (5 s by default); it then goes on in the background.
    pub async fn shutdown(&self) -> Result<(), Rejection> {
        self.within(SHUTDOWN_DEADLINES, self.node.flush_all()).await
    }

    async fn within(
        &self,
        deadlines: u32,
        flush: impl Future<Output = ()>,
    ) -> Result<(), Rejection> {
        let limit = self.node.config.store_deadline.saturating_mul(deadlines);
        let flushed = timeout(limit, flush).await;
        flushed.map_err(|late| Rejection::from(RejectionKind::StoreUnavailable).caused_by(late))
    }
}
