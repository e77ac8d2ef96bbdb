use std::sync::Arc;
use std::time::Duration;
use std::{fmt, mem};

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use super::attempts::{Attempted, Attempts, Redeemed};
use super::cloud_hosting::CloudHosting;
use super::code::CodeDigest;
use super::code_policy::CodePolicy;
use super::credentials::Credentials;
use super::lanes::Lanes;
use super::on_login::Hook;
use super::provider::{IdentityProvider, LoginRequest};
use super::report::report_refusal;
use super::served::{Served, record};
use crate::drain::Drain;
use crate::observe::trace;
use crate::rejection::{Action, Rejection, RejectionKind};
use crate::response::{Preset, Responder};
use crate::sessions::{Issued, NewSession, SessionKeyError, Sessions};
use crate::store::SessionStore;
use crate::time::Uptime;
use crate::token::SessionId;

const DEADLINE: Duration = Duration::from_secs(10);

/// All that a login service is configured with, and how it logs in.
pub(super) struct LoginFlow<S, P> {
    pub(super) sessions: Sessions<S>,
    pub(super) provider: Arc<P>,
    pub(super) on_login: Option<Arc<Hook>>,
    pub(super) responder: Responder,
    pub(super) replays: bool,
    /// From the request to the answer.
    pub(super) deadline: Duration,
    pub(super) drain: Drain,
    pub(super) cloud_hosting: Option<CloudHosting>,
    pub(super) attempts: Arc<Attempts>,
    pub(super) lanes: Arc<Lanes>,
}

impl<S: SessionStore, P: IdentityProvider> LoginFlow<S, P> {
    pub(super) fn new(sessions: Sessions<S>, provider: P) -> Self {
        Self {
            sessions,
            provider: Arc::new(provider),
            on_login: None,
            responder: Responder::Preset(Preset::Json),
            replays: true,
            deadline: DEADLINE,
            drain: Drain::default(),
            cloud_hosting: None,
            attempts: Arc::new(Attempts::new()),
            lanes: Arc::default(),
        }
    }

    /// Logs in, or joins or repeats a login with the same code.
    pub(super) async fn serve(
        self,
        credentials: Credentials,
        received_at: Instant,
    ) -> Result<Issued, Rejection> {
        record(self.attempt_or_repeat(credentials, received_at)).await
    }

    async fn attempt_or_repeat(
        self,
        credentials: Credentials,
        received_at: Instant,
    ) -> Result<Served, Rejection> {
        let named = credentials.app();
        let resolved = self.provider.resolve(named.as_deref());
        let appid = resolved.ok_or(RejectionKind::BadRequest)?.to_owned();
        if !self.sessions.node().serves(&appid) {
            return Err(self.refuse_foreign_app(&appid, named.is_some()));
        }
        let policy = self.provider.code_policy(&appid);
        if !credentials.is_usable(policy.limit) {
            return Err(RejectionKind::BadRequest.into());
        }
        let code = CodeDigest::new(&appid, &credentials.code);
        // Boxed: each future around it would have room for it twice, and thousands may wait.
        let attempt = self
            .clone()
            .attempt(appid, credentials, code, policy, received_at);
        let attempt = Box::pin(attempt);
        match self
            .attempts
            .join(code, &self.sessions.node().clock, attempt)
            .await
        {
            Attempted::Led(result) => result.map(Served::New),
            Attempted::Joined(result) => result.map(Served::Repeated),
            Attempted::Replayed(issued) => {
                Box::pin(self.repeat(issued)).await.map(Served::Repeated)
            }
            Attempted::TooOld => Err(RejectionKind::CodeRejected.into()),
        }
    }

    /// A token that is no longer good is not handed out again.
    async fn repeat(&self, issued: Issued) -> Result<Issued, Rejection> {
        match self.sessions.check(issued.token().expose()).await {
            Ok(_) => Ok(issued),
            Err(rejection) if rejection.kind() == RejectionKind::StoreUnavailable => Err(rejection),
            Err(_) => Err(RejectionKind::CodeRejected.into()),
        }
    }

    /// The one attempt with a code that runs on this node.
    async fn attempt(
        self,
        appid: String,
        credentials: Credentials,
        code: CodeDigest,
        policy: CodePolicy,
        received_at: Instant,
    ) -> Result<Issued, Rejection> {
        let forget = Forget(&self.attempts, code);
        let elapsed = received_at.elapsed();
        let left = self.deadline.saturating_sub(elapsed);
        // For a turn; the other half is for the exchange, the hook and the store.
        let max_wait = (self.deadline / 2).saturating_sub(elapsed);
        let login = self.log_in(&appid, &credentials, code, policy, max_wait);
        let in_time = timeout(left, login).await;
        let issued = in_time.map_err(too_late)??;
        if self.replays {
            mem::forget(forget);
        }
        Ok(issued)
    }

    async fn log_in(
        &self,
        appid: &str,
        credentials: &Credentials,
        code: CodeDigest,
        policy: CodePolicy,
        max_wait: Duration,
    ) -> Result<Issued, Rejection> {
        let mut redeemed = match self.attempts.take_redeemed(code, self.now()) {
            Some(redeemed) => redeemed,
            None => {
                let request = LoginRequest::new(appid, &credentials.code);
                self.exchange(request, code, policy, max_wait).await?
            }
        };
        let issue = async {
            self.claim(&mut redeemed, code).await?;
            self.issue(&redeemed, credentials.presented).await
        };
        let issued = Box::pin(issue).await;
        let failed = issued.as_ref().err().map(Rejection::kind);
        if failed.is_some_and(|kind| kind.action() == Action::Retry) {
            self.attempts.put_redeemed(code, redeemed, self.now());
        }
        issued
    }

    pub(super) async fn issue(
        &self,
        redeemed: &Redeemed,
        presented: Option<SessionId>,
    ) -> Result<Issued, Rejection> {
        let identity = redeemed.exchanged.identity();
        let mut new = NewSession::from(identity.clone());
        if let Some(on_login) = &self.on_login {
            let data = on_login(identity).await.inspect_err(report_refusal);
            new = new.with_json(data?);
        }
        if let Some(old) = presented {
            new = new.replacing(old);
        }
        self.keep_session_key(redeemed).await?;
        self.sessions.issue(new).await
    }

    async fn keep_session_key(&self, redeemed: &Redeemed) -> Result<(), Rejection> {
        let Some(key) = redeemed.exchanged.session_key() else {
            return Ok(());
        };
        let user = redeemed.exchanged.identity();
        let node = self.sessions.node();
        match node.put_session_key(user, key, redeemed.began).await {
            Err(SessionKeyError::Unavailable(error)) => Err(error.into()),
            Ok(()) | Err(SessionKeyError::NotKept) => Ok(()),
        }
    }

    pub(super) fn now(&self) -> Uptime {
        self.sessions.node().clock.uptime()
    }
}

/// Lets the next request with a code start over, also if the attempt panics; left out only after a
/// login that may be replayed.
///
/// It is dropped before the outcome is published. So a client that has seen its login fail and
/// repeats it begins a new attempt, instead of joining the one that failed for as long as
/// [`Attempts`] remembers it.
struct Forget<'a>(&'a Attempts, CodeDigest);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.forget(self.1);
    }
}

/// The login was dropped wherever it was. The provider may have taken the code all the same, so it
/// stays spent; whatever the store was doing has happened or not.
pub(super) fn too_late(elapsed: Elapsed) -> Rejection {
    trace::login_too_late();
    Rejection::from(RejectionKind::ProviderUnavailable).caused_by(elapsed)
}

impl<S, P> Clone for LoginFlow<S, P> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            provider: Arc::clone(&self.provider),
            on_login: self.on_login.clone(),
            responder: self.responder.clone(),
            replays: self.replays,
            deadline: self.deadline,
            drain: self.drain,
            cloud_hosting: self.cloud_hosting,
            attempts: Arc::clone(&self.attempts),
            lanes: Arc::clone(&self.lanes),
        }
    }
}

impl<S, P> fmt::Debug for LoginFlow<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginFlow")
            .field("replays", &self.replays)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
