//! Decides from what a read of the store came to, or from what is known if that is nothing.

use std::sync::Arc;

use super::Node;
use crate::cache::Answer;
use crate::observe::meter::AnsweredBy;
use crate::observe::trace;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{Session, StoreState, Verdict, decide};
use crate::store::{SessionStore, StoreError, StoreErrorKind};
use crate::token::SessionId;

impl<S: SessionStore> Node<S> {
    /// Decides from the store's answer, or from what is known if there is none.
    pub(super) fn conclude(&self, id: SessionId, answer: Answer) -> Result<Session, Rejection> {
        match answer {
            Answer::Live(session) => self.settle(session, StoreState::Answered),
            Answer::Gone(gone) => Err(gone.into()),
            Answer::Failed(error) => self.conclude_without_store(id, error),
        }
    }

    /// Decides from what is known, because the store is unavailable.
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
        match decide(&session.known().facts(), now, state, &self.config.freshness) {
            Verdict::Valid { .. } => Ok(session),
            Verdict::Invalid(reason) => Err(RejectionKind::from(reason).into()),
            Verdict::Confirm | Verdict::Unknown => Err(RejectionKind::StoreUnavailable.into()),
        }
    }

    /// Notes a use. It counts also where nobody knows whether the session is live: it is not idle
    /// because the store is down.
    pub(super) fn use_concluded(
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

    pub(super) fn count(&self, checked: &Result<Session, Rejection>) {
        match checked {
            Ok(_) => self.meter.passed(AnsweredBy::Store),
            Err(rejection) => self.meter.refused(rejection.kind(), AnsweredBy::Store),
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
    if !error.is_unavailable() {
        trace::record_refused(id, &error);
    }
    Rejection::from(kind).caused_by(error)
}
