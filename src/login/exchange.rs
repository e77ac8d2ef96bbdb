//! Spending a code at the provider.

use std::time::Duration;

use tokio::sync::SemaphorePermit;

use super::attempts::Redeemed;
use super::code::CodeDigest;
use super::code_policy::CodePolicy;
use super::exchange_error::{ExchangeError, ExchangeErrorKind};
use super::flow::LoginFlow;
use super::lanes::Lane;
use super::provider::{Exchanged, IdentityProvider, LoginRequest};
use super::turns::{retry_after, too_busy};
use crate::identity::split_appid;
use crate::rejection::{Rejection, RejectionKind};
use crate::sessions::{Claim, ForeignApp};
use crate::store::SessionStore;

impl<S: SessionStore, P: IdentityProvider> LoginFlow<S, P> {
    /// Spends a code, unless that would be for nothing.
    ///
    /// The turn is given back when this ends or is dropped, such as at the deadline of the login.
    pub(super) async fn exchange(
        &self,
        request: LoginRequest<'_>,
        code: CodeDigest,
        policy: CodePolicy,
        max_wait: Duration,
    ) -> Result<Redeemed, Rejection> {
        if self.attempts.spent.contains(code, self.now()) {
            return Err(RejectionKind::CodeRejected.into());
        }
        let appid = request.appid();
        let lane = self.lanes.of(appid);
        let _turn = match lane.turns.now() {
            Some(turn) => turn,
            None => self.wait_for_turn(&lane, code, max_wait).await?,
        };
        // Last, and again after a wait, in which the store may have gone down.
        self.store_answers().await?;
        // Before the exchange, unless a claim comes after it: that decides on all nodes, and what was
        // never claimed may come again.
        let spend = || (self.attempts.spent).spend(code, policy.lifetime, self.now());
        if !policy.is_replayable && !spend() {
            return Err(RejectionKind::CodeRejected.into());
        }
        let began = self.sessions.node().clock.now();
        // Boxed, so that logins that wait for their turn have no room for it yet.
        let exchanged = Box::pin(self.provider.exchange(request.at(began.into()))).await;
        lane.log.note(&exchanged, self.now());
        let exchanged = exchanged?;
        let claim = claim_to(&exchanged, appid, code, policy)?;
        Ok(Redeemed {
            exchanged,
            began,
            claim,
        })
    }

    /// Claims what was redeemed, unless that is done.
    ///
    /// Last before the login is the application's business: what is not genuine has been refused by
    /// now and writes nothing. While the store cannot say whether the claim is in there, a repeat
    /// goes on with the same one.
    pub(super) async fn claim(
        &self,
        redeemed: &mut Redeemed,
        code: CodeDigest,
    ) -> Result<(), Rejection> {
        let Some(claim) = &redeemed.claim else {
            return Ok(());
        };
        let is_ours = self.sessions.node().make(claim).await?;
        // From now on its repeats cost the store nothing.
        (self.attempts.spent).spend(code, claim.lifetime(), self.now());
        redeemed.claim = None;
        let used = RejectionKind::CodeRejected;
        is_ours.then_some(()).ok_or_else(|| used.into())
    }

    /// Waits for a turn, unless the store is down already.
    async fn wait_for_turn<'a>(
        &self,
        lane: &'a Lane,
        code: CodeDigest,
        max_wait: Duration,
    ) -> Result<SemaphorePermit<'a>, Rejection> {
        self.store_answers().await?;
        let turn = lane.turns.wait(max_wait).await;
        turn.ok_or_else(|| {
            self.refuse_and_log(lane, too_busy())
                .retry_in(retry_after(code))
        })
    }

    /// Whether the store is available. The node then knows the fleet's clock, which puts logins in
    /// order.
    pub(super) async fn store_answers(&self) -> Result<(), Rejection> {
        self.sessions.node().ensure_logins().await?;
        Ok(self.sessions.node().learn_clock().await?)
    }

    /// Refuses a login to an app whose sessions are not good here: the client's mistake if it named
    /// the app, ours if the provider has no other.
    pub(super) fn refuse_foreign_app(&self, appid: &str, is_named: bool) -> Rejection {
        if is_named {
            return RejectionKind::BadRequest.into();
        }
        let error = ExchangeError::new(ExchangeErrorKind::Misconfigured);
        self.refuse_and_log(&self.lanes.of(appid), error.caused_by(ForeignApp))
    }

    /// Refuses, and logs why.
    fn refuse_and_log(&self, lane: &Lane, error: ExchangeError) -> Rejection {
        let failed: Result<(), _> = Err(error.clone());
        lane.log.note(&failed, self.now());
        error.into()
    }
}

/// The claim that makes a code single use, where the platform does not.
fn claim_to(
    exchanged: &Exchanged,
    appid: &str,
    code: CodeDigest,
    policy: CodePolicy,
) -> Result<Option<Claim>, Rejection> {
    if !policy.is_replayable {
        return Ok(None);
    }
    // The app as the platform knows it: under whichever name a server has the platform, it is once.
    let app = split_appid(appid).1;
    let content = exchanged
        .once_per
        .map(|content| CodeDigest::new(app, content));
    let digest = content.unwrap_or(code);
    Ok(Some(Claim::new(digest.as_bytes(), policy.lifetime)?))
}
