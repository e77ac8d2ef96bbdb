//! The handle that an application keeps: issue, check, rotate, revoke, list.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;

mod builder;
mod flush;
mod revoke;

pub use self::builder::SessionsBuilder;
pub use crate::config_error::ConfigError;
use crate::identity::Identity;
use crate::node::Node;
pub(crate) use crate::node::claim::Claim;
use crate::node::config::Config;
pub(crate) use crate::node::issued::ForeignApp;
pub use crate::node::issued::{Issued, NewSession};
pub use crate::node::key_check_policy::KeyCheckPolicy;
pub use crate::node::outage_policy::OutagePolicy;
pub use crate::node::revocation::Revocation;
pub use crate::node::session_keys::{SessionKeyError, SessionKeys};
use crate::rejection::{Rejection, RejectionKind};
pub use crate::session::DataError;
use crate::session::{Session, to_json};
use crate::session_key::SessionKey;
use crate::store::SessionStore;
use crate::time::Clock;
pub use crate::token::ParseSessionIdError;
use crate::token::SessionId;

/// All sessions of an application, as seen from one node of it.
///
/// The layer and the login service are made of it, and handlers use it to log out. Clones are
/// handles to the same node; keep one per process. It can be made outside a runtime; what goes on
/// in the background starts with the first use and ends with the last handle.
///
/// ```
/// use tower_wx_session::{Identity, RejectionKind, Sessions, store::MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_wx_session::Rejection> {
/// let sessions = Sessions::new(MemoryStore::new());
///
/// let issued = sessions.issue(Identity::new("appid", "openid")).await?;
/// let token = issued.token().expose();
/// assert_eq!(sessions.check(token).await?.openid(), "openid");
///
/// sessions.kick_out(issued.session()).await?;
/// let rejection = sessions.check(token).await.unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SessionKickedOut);
/// # Ok(())
/// # }
/// ```
pub struct Sessions<S> {
    node: Arc<Node<S>>,
    /// Tells the node that there is a handle still.
    handle: Arc<()>,
}

impl<S: SessionStore> Sessions<S> {
    /// Sessions in `store` with every setting at its default.
    pub fn new(store: S) -> Self {
        Self::builder(store).build_unchecked()
    }

    /// Sessions in `store` with settings of your own.
    pub fn builder(store: S) -> SessionsBuilder<S> {
        SessionsBuilder::new(store)
    }

    fn on(store: S, config: Config, clock: Clock) -> Self {
        let node = Arc::new(Node::new(store, config, clock));
        let handle = node.handle();
        Self { node, handle }
    }

    /// Issues a session to a user: an [`Identity`], or a [`NewSession`] with data.
    ///
    /// The user's other sessions stay, unless there is a cap and this one goes over it.
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable); no session was issued, or none that
    /// anybody knows the token of. [`ProviderMisconfigured`](RejectionKind::ProviderMisconfigured) if
    /// the sessions of this app are not good [here](SessionsBuilder::appids).
    pub async fn issue(&self, new: impl Into<NewSession>) -> Result<Issued, Rejection> {
        self.node.issue(new.into()).await
    }

    /// Checks a token as the layer does, and counts as a use of the session.
    ///
    /// Drop the future or poll it to its end: while it reads from the store, other checks of the same session wait for its answer
    /// (single flight).
    ///
    /// # Errors
    ///
    /// Why the token stands for no live session, or
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable) if the store is unavailable.
    pub async fn check(&self, token: &str) -> Result<Session, Rejection> {
        self.node.check(token).await
    }

    /// Checks a session again that was checked with its token before, as a connection does that
    /// outlives its request. Counts as a use of the session, which an open connection does not.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub async fn check_again(&self, session: SessionId) -> Result<Session, Rejection> {
        self.node.check_again(session).await
    }

    /// Waits until a session is over, and says why: for connections that outlive their request.
    ///
    /// It learns of revocations by the link, on every node, and knows by itself when the session
    /// expires; uses on any node put that off. While nothing happens it does not read the store.
    /// Where the link was lost, it reads once, within 2 s, when it is back. A store that is
    /// unavailable ends nothing. The future may be dropped, and counts as a handle while it waits.
    ///
    /// ```
    /// use tower_wx_session::{Identity, RejectionKind, Sessions, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_wx_session::Rejection> {
    /// let sessions = Sessions::new(MemoryStore::new());
    /// let issued = sessions.issue(Identity::new("appid", "openid")).await?;
    ///
    /// let ended = tokio::spawn(sessions.ended(issued.session().id()));
    /// sessions.kick_out(issued.session()).await?;
    /// assert_eq!(ended.await.unwrap().kind(), RejectionKind::SessionKickedOut);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ended(
        &self,
        session: SessionId,
    ) -> impl Future<Output = Rejection> + Send + use<S> + 'static {
        Arc::clone(&self.node).ended(session)
    }

    /// Puts a new token in the place of a live session's, which stays good for the grace.
    ///
    /// The user, the time of login and the absolute end stay as they are, and so does the data.
    ///
    /// A client that was not given the new token rotates the old one again within the grace, for as
    /// long as the new one was not used: it ends then, and another one takes its place. Of several
    /// rotations at the same time the token of the last one is good.
    ///
    /// # Errors
    ///
    /// Why the session is over; a session whose successor was used already is
    /// [`SessionReplaced`](RejectionKind::SessionReplaced). Or
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable).
    pub async fn rotate(&self, session: SessionId) -> Result<Issued, Rejection> {
        self.node.rotate(session, None).await
    }

    /// Rotates a session and gives it other data: the only way to change it.
    ///
    /// # Errors
    ///
    /// As [`rotate`](Self::rotate); data that cannot be written as JSON leaves all as it was and
    /// is [`BadRequest`](RejectionKind::BadRequest), with the [`DataError`] as its source.
    pub async fn rotate_with_data<T: Serialize>(
        &self,
        session: SessionId,
        data: &T,
    ) -> Result<Issued, Rejection> {
        let data = to_json(data)
            .map_err(|error| Rejection::from(RejectionKind::BadRequest).caused_by(error))?;
        self.node.rotate(session, Some(data)).await
    }

    /// The user's live sessions, oldest first; an old token in its grace is not listed.
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable).
    pub async fn list(&self, user: &Identity) -> Result<Vec<Session>, Rejection> {
        Ok(self.node.list(user).await?)
    }

    /// The user's session_keys, for decrypting and verifying on the server. Never on the request
    /// path, never cached, never for the client.
    ///
    /// # Errors
    ///
    /// If the store does not keep them, or is unavailable.
    pub async fn session_key(&self, user: &Identity) -> Result<SessionKeys, SessionKeyError> {
        self.node.session_keys(user).await
    }

    /// Keeps a session_key as the user's newest: one that the platform gave otherwise than by a login,
    /// as when it was reset.
    ///
    /// # Errors
    ///
    /// If the store does not keep them, or is unavailable.
    pub async fn put_session_key(
        &self,
        user: &Identity,
        key: &SessionKey,
    ) -> Result<(), SessionKeyError> {
        self.node.learn_clock().await?;
        let now = self.node.clock.now();
        self.node.put_session_key(user, key, now).await
    }

    /// Asks whether users can log in now: whether the store answers, and takes writes. In a Cluster, masters that
    /// are down concern their own users only; one that refuses writes concerns all. Starts what goes on in the
    /// background, so that the first request finds connections open.
    ///
    /// For the start of a process, where a wrong password or host is worth a line at once, and for a
    /// probe that holds traffic back until then. [Not for one that runs on](crate::guide::outages#probes):
    /// sessions that are known pass while the store is unavailable.
    ///
    /// ```
    /// use tower_wx_session::{Sessions, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_wx_session::Rejection> {
    /// let sessions = Sessions::new(MemoryStore::new());
    /// sessions.ready().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable), with the reason as its source, within two store
    /// deadlines (500 ms by default).
    pub async fn ready(&self) -> Result<(), Rejection> {
        Ok(self.node.ready().await?)
    }

    /// Sessions in the cache at the moment, to within what is not counted yet.
    #[must_use]
    pub fn cached(&self) -> u64 {
        self.node.cached()
    }

    /// The node behind the handle, for the layer and the login service.
    pub(crate) fn node(&self) -> &Arc<Node<S>> {
        &self.node
    }
}

impl<S> Clone for Sessions<S> {
    fn clone(&self) -> Self {
        Self {
            node: Arc::clone(&self.node),
            handle: Arc::clone(&self.handle),
        }
    }
}

impl<S> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}
