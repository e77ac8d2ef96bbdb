use std::sync::Arc;

use super::Sessions;
use crate::identity::Identity;
use crate::node::revocation::Revocation;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::Session;
use crate::store::{RevokeReason, SessionStore, Target};

impl<S: SessionStore> Sessions<S> {
    /// Ends a session, a user's sessions or a user's other sessions.
    ///
    /// It begins when the returned future is first polled, and then goes on if that is dropped. This
    /// node refuses the sessions from then on, every other one as soon as the store has announced it.
    /// What cannot be written now is [`Pending`](Revocation::Pending), in this process's
    /// memory. Ending what is over changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable) if the store is unavailable and too many revocations wait for it already: then nothing was revoked.
    pub async fn revoke(
        &self,
        target: impl Into<Target>,
        reason: RevokeReason,
    ) -> Result<Revocation, Rejection> {
        let revoke = self.node.start_revoking(target.into(), reason);
        let revocation = tokio::spawn(Arc::clone(&self.node).finish_revoking(revoke));
        revocation.await.unwrap_or_else(|stopped| {
            Err(Rejection::from(RejectionKind::StoreUnavailable).caused_by(stopped))
        })
    }

    /// Ends sessions as an administrator: the client is told `session_kicked_out`.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn kick_out(&self, target: impl Into<Target>) -> Result<Revocation, Rejection> {
        self.revoke(target, RevokeReason::KickedOut).await
    }

    /// Logs a user out everywhere.
    ///
    /// A store that has lost its list of the user's sessions, as Redis may when it evicts, ends
    /// none. Where the user asks for it in a session, [`revoke_all`](Self::revoke_all) ends at
    /// least that one.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_user(&self, user: &Identity) -> Result<Revocation, Rejection> {
        self.revoke(user, RevokeReason::LoggedOut).await
    }

    /// Logs the user of a session out everywhere: this session whatever the store remembers, and
    /// all others that it knows of.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke); a part of it may hold then.
    pub async fn revoke_all(&self, session: &Session) -> Result<Revocation, Rejection> {
        let (user, itself) = tokio::join!(
            self.revoke(session.identity(), RevokeReason::LoggedOut),
            self.revoke(session, RevokeReason::LoggedOut),
        );
        Ok(match (user?, itself?) {
            (Revocation::Done(of_user), Revocation::Done(itself)) => {
                Revocation::Done(of_user + itself)
            }
            _ => Revocation::Pending,
        })
    }

    /// Logs a user out everywhere but in this session.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_others(&self, session: &Session) -> Result<Revocation, Rejection> {
        let target = Target::Others {
            user: session.identity().clone(),
            keep: session.id(),
        };
        self.revoke(target, RevokeReason::LoggedOut).await
    }
}
