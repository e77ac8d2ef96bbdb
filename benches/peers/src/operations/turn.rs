use std::error::Error;
use std::sync::Arc;

use tower_wx_session::sessions::{Issued, Revocation};
use tower_wx_session::store::{Loaded, RevokeReason, SessionStore, Timestamp, Touch};
use tower_wx_session::{SessionId, Sessions};

use super::burst::{Burst, Spent};
use super::operation::Operation;
use super::users::SLACK;
use crate::user::identity;

/// One operation on many sessions, with all that it needs made ready.
pub(crate) struct Turn<S> {
    pub(crate) operation: Operation,
    pub(crate) store: S,
    pub(crate) node: Sessions<S>,
    pub(crate) sessions: Arc<[Issued]>,
    /// The first of the users who log in.
    pub(crate) newcomer: usize,
    pub(crate) now: Timestamp,
}

impl<S: SessionStore> Turn<S> {
    /// Acts on so many of the sessions.
    pub(crate) async fn spend(self: Arc<Self>, burst: Burst) -> Result<Spent, Box<dyn Error>> {
        let act = move |number| Arc::clone(&self).act(number);
        Ok(burst.of(act).await?)
    }

    async fn act(self: Arc<Self>, number: usize) {
        match self.operation {
            Operation::Load => self.load(self.id(number)).await,
            Operation::Check => self.check(number).await,
            Operation::Login => self.log_in(self.newcomer + number).await,
            Operation::Use => self.tell_use(self.id(number)).await,
            Operation::Rotation => self.rotate(self.id(number)).await,
            Operation::Logout => self.log_out(self.id(number)).await,
        }
    }

    fn id(&self, number: usize) -> SessionId {
        self.sessions[number].session().id()
    }

    async fn load(&self, id: SessionId) {
        let loaded = self.store.load(id).await;
        assert!(matches!(loaded, Ok(Loaded::Live(_))), "{loaded:?}");
    }

    async fn check(&self, number: usize) {
        let token = self.sessions[number].token().expose();
        self.node.check(token).await.expect("a live session");
    }

    async fn log_in(&self, user: usize) {
        let issued = self.node.issue(identity(user)).await;
        issued.expect("the server is up");
    }

    async fn tell_use(&self, id: SessionId) {
        let touched = self.store.touch(Touch::new(id, self.now, SLACK)).await;
        assert!(matches!(touched, Ok(Some(_))), "{touched:?}");
    }

    async fn rotate(&self, id: SessionId) {
        self.node.rotate(id).await.expect("a live session");
    }

    async fn log_out(&self, id: SessionId) {
        let revoked = self.node.revoke(id, RevokeReason::LoggedOut).await;
        assert!(matches!(revoked, Ok(Revocation::Done(1))), "{revoked:?}");
    }
}
