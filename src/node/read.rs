//! Reads a session from the store, once for all who want to know.

use std::pin::pin;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::Node;
use super::detached::Detached;
use crate::cache::{Answer, Gone};
use crate::identity::Identity;
use crate::observe::trace;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{Checked, Session, Stamp, Unread, Verdict};
use crate::store::{Loaded, SessionStore, StoreError};
use crate::token::{Fingerprint, SessionId};

/// Waits of a read, each of a deadline: its turn, the answer, a trial and a use to be written, its turn
/// and the answer after it.
const READ_STEPS: u32 = 6;

/// Whether a session is to be confirmed soon, although it is good.
struct Due(bool);

impl<S: SessionStore> Node<S> {
    /// Checks a token as the layer does: by what is known, or with the store.
    pub(crate) async fn check(self: &Arc<Self>, text: &str) -> Result<Session, Rejection> {
        match self.check_now(text.as_bytes()) {
            Checked::Decided(decided) => decided,
            Checked::Unread(unread) => self.check_with_store(&unread).await,
        }
    }

    /// Reads the session of a token from the store, then decides.
    pub(crate) async fn check_with_store(
        self: &Arc<Self>,
        unread: &Unread,
    ) -> Result<Session, Rejection> {
        let checked = trace::check_span(self.check_token(unread)).await;
        // Almost always it was taken in with its fingerprint. It was not by a read that began without its
        // token, for others.
        if let Ok(session) = &checked
            && session.fingerprint().is_none()
        {
            self.cache.present(session, unread.fingerprint);
        }
        self.count(&checked);
        checked
    }

    /// Checks a session that was checked before, without its token.
    pub(crate) async fn check_again(self: &Arc<Self>, id: SessionId) -> Result<Session, Rejection> {
        if let Some(decided) = self.check_cached(id, None, self.clock.read()) {
            return decided;
        }
        let checked = trace::check_span(self.look_up_in_store(id)).await;
        self.count(&checked);
        self.use_concluded(id, checked)
    }

    /// Decides about a session without using it; reads it if that takes the store.
    pub(super) async fn look_up(self: &Arc<Self>, id: SessionId) -> Result<Session, Rejection> {
        match self.look(id) {
            Some((known, _)) => self.conclude(id, known),
            None => self.look_up_in_store(id).await,
        }
    }

    /// The user's live sessions, oldest first. They are not taken in.
    pub(crate) async fn list(&self, user: &Identity) -> Result<Vec<Session>, StoreError> {
        let of = user.clone();
        let records = (self.upstream).read(user.bucket(), |store| store.list(of));
        let records = self.in_time(records).await?.into_iter();
        let session = |(id, record)| Session::new(id, record, Stamp::default());
        Ok(records.map(session).collect())
    }

    /// Has a session confirmed, so that no request has to wait for it.
    pub(super) fn refresh_soon(self: &Arc<Self>, id: SessionId) {
        if let Ok(runtime) = Handle::try_current() {
            let node = Arc::clone(self);
            runtime.spawn(async move { node.read(id, None).await });
        }
    }

    async fn check_token(self: &Arc<Self>, unread: &Unread) -> Result<Session, Rejection> {
        self.start();
        let id = unread.id;
        let read = async {
            self.learn_clock().await?;
            match &unread.unjudged {
                Some(token) if !self.cache.has(id) => {
                    Ok(Box::pin(self.read_with_unknown_key(token)).await)
                }
                _ => Ok(Some(self.read_detached(id, unread.fingerprint).await)),
            }
        };
        let answer = match self.in_time(read).await {
            Ok(None) => return Err(RejectionKind::SessionMalformed.into()),
            Ok(Some(answer)) => answer,
            Err(error) => Answer::Failed(error),
        };
        self.use_concluded(id, self.conclude(id, answer))
    }

    async fn look_up_in_store(self: &Arc<Self>, id: SessionId) -> Result<Session, Rejection> {
        self.start();
        let read = async {
            self.learn_clock().await?;
            Ok(self.read_detached(id, None).await)
        };
        let answer = self.in_time(read).await;
        self.conclude(id, answer.unwrap_or_else(Answer::Failed))
    }

    /// A request that is gone takes no read along: others may wait for it.
    pub(super) fn read_detached(
        self: &Arc<Self>,
        id: SessionId,
        presented: Option<Fingerprint>,
    ) -> Detached<Answer> {
        let node = Arc::clone(self);
        let work = async move { node.read(id, presented).await };
        Detached::new(work, self.config.store_deadline.saturating_mul(READ_STEPS))
    }

    /// Reads a session, or takes the answer that another read is waiting for. Its token was
    /// presented, or nothing is known of that.
    async fn read(self: &Arc<Self>, id: SessionId, presented: Option<Fingerprint>) -> Answer {
        loop {
            // A part that is down lets one read through and refuses the others: who joined that one
            // would wait for it.
            let answer = match self.upstream.is_down(id.bucket()) {
                true => self.read_alone(id, presented).await,
                false => {
                    let read = pin!(self.read_alone(id, presented));
                    self.flights.join(id, read).await
                }
            };
            match answer {
                // It may have been read before a revocation that is complete by now.
                Answer::Live(session) if !self.cache.is_current(&session) => {}
                answer => return answer,
            }
        }
    }

    /// The read that the others wait for. Whoever comes when the last one has just got its answer
    /// takes what is known by then.
    async fn read_alone(self: &Arc<Self>, id: SessionId, presented: Option<Fingerprint>) -> Answer {
        if let Some((known, Due(false))) = self.look(id) {
            return known;
        }
        // Before the read: whatever changes from now on has a greater number.
        let stamp = self.cache.stamp(self.clock.uptime());
        if let Some(revoked) = self.cache.is_revoked(id, stamp) {
            return revoked;
        }
        let loaded = self.read_record(id).await;
        let answer = self.cache.take_in(id, stamp, presented, loaded);
        if let Answer::Live(session) = &answer {
            self.check_key_later(session);
        }
        answer
    }

    /// What is known of a session so surely that the store need not be read, and whether its
    /// confirmation is due. It does not count as activity.
    fn look(&self, id: SessionId) -> Option<(Answer, Due)> {
        let now = self.clock.read();
        let session = match self.cache.look(id, now.local)? {
            Ok(session) => session,
            Err(gone) => return Some((Answer::Gone(gone), Due(false))),
        };
        match self.decide_without_gap(session.known(), now) {
            Verdict::Valid { refresh } => Some((Answer::Live(session), Due(refresh))),
            Verdict::Invalid(reason) => Some((Answer::Gone(Gone::Ended(reason)), Due(false))),
            Verdict::Confirm | Verdict::Unknown => None,
        }
    }

    async fn read_record(self: &Arc<Self>, id: SessionId) -> Result<Loaded, StoreError> {
        let loaded = self.load(id).await?;
        match self.idle_since(&loaded) {
            Some(at) => Box::pin(self.unless_used_since(id, at, loaded)).await,
            None => Ok(loaded),
        }
    }

    /// Another app's sessions are never taken in, so that no hit has to look.
    pub(super) async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        // Boxed, because each of the layers around it would hold it twice.
        let load = self
            .upstream
            .read(id.bucket(), |store| Box::pin(store.load(id)));
        match load.await? {
            Loaded::Live(record) if !self.serves(record.identity.appid()) => Ok(Loaded::NeverSeen),
            loaded => Ok(loaded),
        }
    }
}
