use std::sync::Arc;

use super::Sessions;
use super::keyring::Tag;
use super::node::Node;
use super::tag_keys::FETCH_SHARED;
use crate::cache::{Answer, Gone};
use crate::observe::meter::AnsweredBy;
use crate::observe::trace;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{Session, StoreState, Verdict, decide, decide_in_gap};
use crate::store::{SessionStore, StoreError, StoreErrorKind};
use crate::time::{Moment, Timestamp};
use crate::token::{SessionId, Token};

impl<S: SessionStore> Sessions<S> {
    /// Checks a token as the layer does, and counts as a use of the session.
    ///
    /// Drop the future or poll it to its end: while it asks the store, others who ask about the
    /// same session wait for its answer.
    ///
    /// # Errors
    ///
    /// Why the token stands for no live session, or
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable) if the store could not tell.
    pub async fn check(&self, token: &str) -> Result<Session, Rejection> {
        let token = Token::parse(token.as_bytes())
            .ok_or_else(|| self.node.refuse_at_sight(RejectionKind::SessionMalformed))?;
        match self.node.check_now(&token) {
            Some(decided) => decided,
            None => self.node.check_with_store(&token).await,
        }
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
}

impl<S: SessionStore> Node<S> {
    /// Decides from what is known on this node; `None` if the store has to be asked.
    #[inline]
    pub(crate) fn check_now(self: &Arc<Self>, token: &Token) -> Option<Result<Session, Rejection>> {
        let id = token.id();
        let now = self.clock.read();
        match self.cache.hit(id) {
            Some(session) => self.check_known(session, now, AnsweredBy::Table),
            None => self.check_behind_table(token, id, now),
        }
    }

    /// What the hit table has of a session: for the benchmark of it.
    #[cfg(feature = "test-util")]
    pub(crate) fn hit(&self, id: SessionId) -> Option<Session> {
        self.cache.hit(id)
    }

    fn check_known(
        self: &Arc<Self>,
        session: Session,
        now: Moment,
        by: AnsweredBy,
    ) -> Option<Result<Session, Rejection>> {
        match self.decide_now(&session, now) {
            Verdict::Valid { refresh } => {
                self.use_session(&session, now.fleet, refresh);
                self.meter.passed(by);
                Some(Ok(session))
            }
            Verdict::Invalid(reason) => {
                let kind = RejectionKind::from(reason);
                self.meter.refused(kind, by);
                Some(Err(kind.into()))
            }
            Verdict::Confirm | Verdict::Unknown => None,
        }
    }

    /// A forged token gets no further than its tag: all else costs more.
    fn check_behind_table(
        self: &Arc<Self>,
        token: &Token,
        id: SessionId,
        now: Moment,
    ) -> Option<Result<Session, Rejection>> {
        if self.keyring.judge(token) == Tag::Forged {
            return Some(Err(self.refuse_at_sight(RejectionKind::SessionMalformed)));
        }
        self.check_cached(id, now)
    }

    fn check_cached(
        self: &Arc<Self>,
        id: SessionId,
        now: Moment,
    ) -> Option<Result<Session, Rejection>> {
        if let Some(session) = self.cache.get(id) {
            return self.check_known(session, now, AnsweredBy::Cache);
        }
        let gone = Rejection::from(self.cache.gone(id, now.local)?);
        self.meter.refused(gone.kind(), AnsweredBy::Cache);
        Some(Err(gone))
    }

    /// Asks the store, then decides.
    pub(crate) async fn check_with_store(
        self: &Arc<Self>,
        token: &Token,
    ) -> Result<Session, Rejection> {
        let checked = trace::check_span(self.ask_about(token)).await;
        self.count(&checked, AnsweredBy::Store);
        checked
    }

    /// Refuses what is no token, or more than one.
    pub(crate) fn refuse_at_sight(&self, kind: RejectionKind) -> Rejection {
        self.meter.refused(kind, AnsweredBy::Request);
        kind.into()
    }

    async fn ask_about(self: &Arc<Self>, token: &Token) -> Result<Session, Rejection> {
        self.start();
        let id = token.id();
        let question = async {
            self.learn_clock().await?;
            if self.keyring.judge(token) == Tag::Unknown && self.cache.get(id).is_none() {
                return Ok(Box::pin(self.ask_about_stranger(token)).await);
            }
            Ok(Some(self.load_aside(id).await))
        };
        let answer = match self.within_deadline(id.bucket(), question).await {
            Ok(None) => return Err(RejectionKind::SessionMalformed.into()),
            Ok(Some(answer)) => answer,
            Err(error) => Answer::Failed(error),
        };
        self.use_concluded(id, self.conclude(id, answer))
    }

    /// Asks the store about a token whose key this node does not know; `None` if it is forged.
    async fn ask_about_stranger(self: &Arc<Self>, token: &Token) -> Option<Answer> {
        let id = token.id();
        // What is left of the deadline is for the session, should the keys be out of reach.
        let at_most = self.config.store_deadline / 2;
        let fetched = self.fetch_keys(FETCH_SHARED, at_most).await;
        match self.keyring.judge(token) {
            Tag::Forged => None,
            Tag::Genuine => Some(self.load_aside(id).await),
            // A node that starts while the keys are out of reach serves users all the same.
            Tag::Unknown if self.keyring.is_empty() => Some(self.load_aside(id).await),
            Tag::Unknown => {
                let load = || self.load_aside(id);
                Some(self.strangers.ask(token.key_id(), fetched, load).await)
            }
        }
    }

    /// Checks a session that was checked before, without its token.
    pub(super) async fn check_again(self: &Arc<Self>, id: SessionId) -> Result<Session, Rejection> {
        if let Some(decided) = self.check_cached(id, self.clock.read()) {
            return decided;
        }
        let checked = trace::check_span(self.look_up_in_store(id)).await;
        self.count(&checked, AnsweredBy::Store);
        self.use_concluded(id, checked)
    }

    /// Decides about a session without using it; asks the store if that takes it.
    pub(super) async fn look_up(self: &Arc<Self>, id: SessionId) -> Result<Session, Rejection> {
        match self.look_up_now(id) {
            Some(known) => known,
            None => self.look_up_in_store(id).await,
        }
    }

    fn look_up_now(&self, id: SessionId) -> Option<Result<Session, Rejection>> {
        let now = self.clock.read();
        let Some(session) = self.cache.get(id) else {
            return self.cache.gone(id, now.local).map(|gone| Err(gone.into()));
        };
        match self.decide_without_gap(&session, now) {
            Verdict::Valid { .. } => Some(Ok(session)),
            Verdict::Invalid(reason) => Some(Err(RejectionKind::from(reason).into())),
            Verdict::Confirm | Verdict::Unknown => None,
        }
    }

    async fn look_up_in_store(self: &Arc<Self>, id: SessionId) -> Result<Session, Rejection> {
        self.start();
        let question = async {
            self.learn_clock().await?;
            Ok(self.load_aside(id).await)
        };
        let answer = self.within_deadline(id.bucket(), question).await;
        self.conclude(id, answer.unwrap_or_else(Answer::Failed))
    }

    /// What the store need not be asked: it has just answered somebody else.
    pub(super) fn known_without_asking(&self, id: SessionId) -> Option<Answer> {
        let now = self.clock.read();
        let Some(session) = self.cache.get(id) else {
            return self.cache.gone(id, now.local).map(Answer::Gone);
        };
        let verdict = self.decide_without_gap(&session, now);
        (verdict == Verdict::Valid { refresh: false }).then_some(Answer::Live(session))
    }

    fn count(&self, checked: &Result<Session, Rejection>, by: AnsweredBy) {
        match checked {
            Ok(_) => self.meter.passed(by),
            Err(rejection) => self.meter.refused(rejection.kind(), by),
        }
    }

    /// Decides about a request with what is known.
    #[inline]
    pub(crate) fn decide_now(&self, session: &Session, now: Moment) -> Verdict {
        match self.decide_without_gap(session, now) {
            Verdict::Confirm => self.decide_in_gap(session, now),
            verdict => verdict,
        }
    }

    /// Decides with what nothing is missing from: whoever waits for the end of a session does not
    /// come again when what was missed is known.
    #[inline]
    pub(super) fn decide_without_gap(&self, session: &Session, now: Moment) -> Verdict {
        let link = self.cache.link(now.local);
        decide(&session.facts(), now, link, &self.config.freshness)
    }

    /// Decides with what was confirmed, or vouched for, a moment before the link ended or came up:
    /// it is as good as without a link, so that not all sessions in use are confirmed at once.
    #[cold]
    fn decide_in_gap(&self, session: &Session, now: Moment) -> Verdict {
        let link = self.cache.link(now.local);
        let Some(gap) = self.cache.gap(session, link, now.local) else {
            return Verdict::Confirm;
        };
        let freshness = &self.config.freshness;
        decide_in_gap(&session.facts(), now, gap, session.share(), freshness)
    }

    /// Decides from the store's answer, or from what is known if there is none.
    fn conclude(&self, id: SessionId, answer: Answer) -> Result<Session, Rejection> {
        match answer {
            Answer::Live(session) => self.settle(session, StoreState::Answered),
            Answer::Gone(gone) => Err(gone.into()),
            Answer::Failed(error) => self.conclude_without_store(id, error),
        }
    }

    /// Decides from what is known, because the store could not tell.
    fn conclude_without_store(
        &self,
        id: SessionId,
        error: StoreError,
    ) -> Result<Session, Rejection> {
        if error.kind() == StoreErrorKind::Corrupt {
            return Err(refusal(id, error));
        }
        match self.cache.known(id) {
            Some(Answer::Live(session)) => self
                .settle(session, StoreState::Silent)
                .map_err(|rejection| rejection.caused_by(error)),
            Some(Answer::Gone(gone)) => Err(gone.into()),
            Some(Answer::Failed(_)) | None => Err(refusal(id, error)),
        }
    }

    fn settle(&self, session: Session, state: StoreState) -> Result<Session, Rejection> {
        let now = self.clock.read();
        match decide(&session.facts(), now, state, &self.config.freshness) {
            Verdict::Valid { .. } => Ok(session),
            Verdict::Invalid(reason) => Err(RejectionKind::from(reason).into()),
            Verdict::Confirm | Verdict::Unknown => Err(RejectionKind::StoreUnavailable.into()),
        }
    }

    /// Counts a use. It counts also where nobody could tell whether the session is live: it is not
    /// idle because the store is down.
    fn use_concluded(
        self: &Arc<Self>,
        id: SessionId,
        concluded: Result<Session, Rejection>,
    ) -> Result<Session, Rejection> {
        let now = self.clock.now();
        match &concluded {
            Ok(session) => self.use_session(session, now, false),
            Err(rejection) if rejection.kind() == RejectionKind::StoreUnavailable => {
                if let Some(Answer::Live(session)) = self.cache.known(id)
                    && now < session.end()
                {
                    self.use_session(&session, now, false);
                }
            }
            Err(_) => {}
        }
        concluded
    }

    fn use_session(self: &Arc<Self>, session: &Session, now: Timestamp, refresh: bool) {
        if let Some(touch) = session.note_use(now) {
            self.tell_later(session, touch);
        }
        if refresh && session.start_refresh() {
            self.refresh_soon(session.id());
        }
    }
}

impl From<Gone> for Rejection {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Ended(reason) => RejectionKind::from(reason).into(),
            Gone::NeverSeen => RejectionKind::SessionUnknown.into(),
        }
    }
}

/// A damaged record is refused by itself; anything else may be over in a moment.
fn refusal(id: SessionId, error: StoreError) -> Rejection {
    let kind = match error.kind() {
        StoreErrorKind::Corrupt => RejectionKind::SessionUnknown,
        StoreErrorKind::Unavailable | StoreErrorKind::NewerVersion => {
            RejectionKind::StoreUnavailable
        }
    };
    if error.kind() != StoreErrorKind::Unavailable {
        trace::record_refused(id, &error);
    }
    Rejection::from(kind).caused_by(error)
}
