//! Spending a code at the provider.

use std::time::Duration;

use tokio::sync::SemaphorePermit;

use super::attempts::{CodeDigest, Paid};
use super::desk::Desk;
use super::provider::{ExchangeError, ExchangeErrorKind, IdentityProvider, LoginRequest};
use super::turns::{comes_back_in, too_busy};
use crate::rejection::{Rejection, RejectionKind};
use crate::sessions::ForeignApp;
use crate::store::SessionStore;

impl<S: SessionStore, P: IdentityProvider> Desk<S, P> {
    /// Spends a code, if it is worth it.
    pub(super) async fn exchange(
        &self,
        request: LoginRequest<'_>,
        code: CodeDigest,
        patience: Duration,
    ) -> Result<Paid, Rejection> {
        if self.attempts.is_spent(code, self.now()) {
            return Err(RejectionKind::CodeRejected.into());
        }
        let _turn = match self.turns.now() {
            Some(turn) => turn,
            None => self.wait_for_turn(code, patience).await?,
        };
        // Asked last: it may have gone down while this login waited.
        self.store_answers().await?;
        if !self.attempts.spend(code, self.now()) {
            return Err(RejectionKind::CodeRejected.into());
        }
        let began = self.sessions.node().clock.now();
        // Boxed, so that those who wait for their turn do not have room for it yet.
        let exchanged = Box::pin(self.provider.exchange(request)).await;
        self.log.note(&exchanged, self.now());
        let exchanged = exchanged?;
        Ok(Paid { exchanged, began })
    }

    /// Nobody waits only to hear that the store is down.
    async fn wait_for_turn(
        &self,
        code: CodeDigest,
        patience: Duration,
    ) -> Result<SemaphorePermit<'_>, Rejection> {
        self.store_answers().await?;
        let turn = self.turns.wait(patience).await;
        turn.ok_or_else(|| self.fault(too_busy()).retry_in(comes_back_in(code)))
    }

    /// Also has the node know the fleet's clock, by which logins are in order.
    async fn store_answers(&self) -> Result<(), Rejection> {
        self.sessions.node().ensure_logins().await?;
        Ok(self.sessions.node().learn_clock().await?)
    }

    /// Refuses a login to an app whose sessions are not good here: the client's mistake if it named
    /// the app, ours if the provider has no other.
    pub(super) fn foreign(&self, is_named: bool) -> Rejection {
        if is_named {
            return RejectionKind::BadRequest.into();
        }
        let error = ExchangeError::new(ExchangeErrorKind::Misconfigured);
        self.fault(error.caused_by(ForeignApp))
    }

    /// Tells the operator, and refuses.
    fn fault(&self, error: ExchangeError) -> Rejection {
        let failed: Result<(), _> = Err(error.clone());
        self.log.note(&failed, self.now());
        error.into()
    }
}
