//! Logging in whom WeChat's gateway names, without a code.

use http::HeaderMap;
use tokio::time::{Instant, timeout};

use super::attempts::Redeemed;
use super::credentials::Credentials;
use super::flow::{LoginFlow, too_late};
use super::provider::{Exchanged, IdentityProvider};
use super::served::{Served, record};
use crate::identity::Identity;
use crate::rejection::{Rejection, RejectionKind};
use crate::sessions::Issued;
use crate::store::SessionStore;
use crate::token::SessionId;

impl<S: SessionStore, P: IdentityProvider> LoginFlow<S, P> {
    /// Logs in by what a request holds: a code, or the headers of the gateway where there is none.
    pub(super) async fn serve_request(
        self,
        credentials: Credentials,
        headers: &HeaderMap,
        received_at: Instant,
    ) -> Result<Issued, Rejection> {
        match self.cloud_hosting {
            Some(cloud) if credentials.is_empty() => {
                let user = cloud.identity(headers).map_err(Rejection::from);
                let presented = credentials.presented;
                record(async { self.serve_user(user?, presented, received_at).await }).await
            }
            _ => self.serve(credentials, received_at).await,
        }
    }

    /// Nothing is spent, so nothing is shared or repeated: each request gets a session of its own.
    async fn serve_user(
        &self,
        user: Identity,
        presented: Option<SessionId>,
        received_at: Instant,
    ) -> Result<Served, Rejection> {
        let resolved = self.provider.resolve(Some(user.appid()));
        if resolved != Some(user.appid()) || !self.sessions.node().serves(user.appid()) {
            return Err(RejectionKind::BadRequest.into());
        }
        let redeemed = Redeemed {
            exchanged: Exchanged::new(user),
            began: self.sessions.node().clock.now(),
            claim: None,
        };
        let left = self.deadline.saturating_sub(received_at.elapsed());
        let issue = async {
            self.store_answers().await?;
            self.issue(&redeemed, presented).await
        };
        let issued = timeout(left, issue).await;
        issued.map_err(too_late)?.map(Served::New)
    }
}
