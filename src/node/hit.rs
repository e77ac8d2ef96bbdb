//! The whole way of a session that is known, from its token to its use, without a wait.
//!
//! Most requests go no further than [`check_now`](Node::check_now): a look into the hit table, the
//! clock, the decision, the use. What this node cannot decide by itself goes on in `read`.

use std::sync::Arc;

use super::Node;
use super::keyring::Tag;
use crate::observe::meter::AnsweredBy;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{Checked, Known, Session, Unread, Verdict, decide, decide_in_gap};
use crate::store::SessionStore;
use crate::time::{Moment, Timestamp};
use crate::token::{Fingerprint, SessionId, Token, bucket_in};

impl<S: SessionStore> Node<S> {
    /// Decides about a text with what is known on this node.
    #[inline]
    pub(crate) fn check_now(self: &Arc<Self>, text: &[u8]) -> Checked {
        let Some(fingerprint) = self.cache.fingerprint(text) else {
            return self.check_behind_table(text, None);
        };
        // The clock is read once there is something to judge: its lines of memory come meanwhile.
        let judge = |known: &Known| {
            let now = self.clock.read();
            (self.decide_without_gap(known, now), now)
        };
        let decided = match self.cache.hit(fingerprint, bucket_in(text), judge) {
            Some((session, (Verdict::Valid { refresh }, now))) => {
                self.passes(&session, now, refresh, AnsweredBy::Table);
                return Checked::Decided(Ok(session));
            }
            Some((session, (_, now))) => self.check_known(session, now, AnsweredBy::Table),
            None => None,
        };
        decided.map_or_else(
            || self.check_behind_table(text, Some(fingerprint)),
            Checked::Decided,
        )
    }

    /// What is no token, or forged, gets no further than its form or its tag: all else costs more.
    #[inline(never)]
    fn check_behind_table(
        self: &Arc<Self>,
        text: &[u8],
        fingerprint: Option<Fingerprint>,
    ) -> Checked {
        let judged = Token::parse(text).map(|token| (self.keyring.judge(&token), token));
        let Some((tag @ (Tag::Genuine | Tag::Unknown), token)) = judged else {
            return Checked::Decided(Err(self.refuse_at_sight(RejectionKind::SessionMalformed)));
        };
        let id = token.id();
        match self.check_cached(id, fingerprint, self.clock.read()) {
            Some(decided) => Checked::Decided(decided),
            None => Checked::Unread(Unread {
                id,
                fingerprint,
                unjudged: (tag == Tag::Unknown).then(|| Box::new(token)),
            }),
        }
    }

    /// Decides from the cache behind the table, which has the session from now on if its token was
    /// presented.
    pub(super) fn check_cached(
        self: &Arc<Self>,
        id: SessionId,
        fingerprint: Option<Fingerprint>,
        now: Moment,
    ) -> Option<Result<Session, Rejection>> {
        match self.cache.look(id, now.local)? {
            Ok(session) => {
                self.cache.present(&session, fingerprint);
                self.check_known(session, now, AnsweredBy::Cache)
            }
            Err(gone) => Some(Err(self.refuse(gone.into(), AnsweredBy::Cache))),
        }
    }

    /// Decides about a session that is known, and notes its use.
    ///
    /// Apart from the common way, where nothing of the session is moved but a pointer.
    #[inline(never)]
    fn check_known(
        self: &Arc<Self>,
        session: Session,
        now: Moment,
        by: AnsweredBy,
    ) -> Option<Result<Session, Rejection>> {
        match self.decide_now(&session, now) {
            Verdict::Valid { refresh } => {
                self.passes(&session, now, refresh, by);
                Some(Ok(session))
            }
            Verdict::Invalid(reason) => Some(Err(self.refuse(reason.into(), by))),
            Verdict::Confirm | Verdict::Unknown => None,
        }
    }

    /// Notes the use of a session that is valid.
    #[inline]
    fn passes(self: &Arc<Self>, session: &Session, now: Moment, refresh: bool, by: AnsweredBy) {
        self.use_session(session, now.fleet, refresh);
        self.meter.passed(by);
    }

    /// Decides about a request with what is known.
    #[inline]
    pub(crate) fn decide_now(&self, session: &Session, now: Moment) -> Verdict {
        match self.decide_without_gap(session.known(), now) {
            Verdict::Confirm => self.decide_in_gap(session, now),
            verdict => verdict,
        }
    }

    /// Decides with what nothing is missing from: whoever waits for the end of a session does not
    /// come again when what was missed is known.
    #[inline]
    pub(super) fn decide_without_gap(&self, known: &Known, now: Moment) -> Verdict {
        let link = self.cache.link(now.local);
        decide(&known.facts(), now, link, &self.config.freshness)
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
        decide_in_gap(
            &session.known().facts(),
            now,
            gap,
            session.share(),
            freshness,
        )
    }

    /// Notes a use; has it written to the store, or the session confirmed, if that is due.
    #[inline]
    pub(super) fn use_session(self: &Arc<Self>, session: &Session, now: Timestamp, refresh: bool) {
        if let Some(touch) = session.usage().note(session.id(), now) {
            self.touch_later(session, touch);
        }
        if refresh && session.usage().start_refresh() {
            self.refresh_soon(session.id());
        }
    }

    /// Refuses what is no token, or more than one.
    pub(crate) fn refuse_at_sight(&self, kind: RejectionKind) -> Rejection {
        self.refuse(kind, AnsweredBy::Request)
    }

    /// Makes a refusal, and counts it.
    #[inline]
    fn refuse(&self, kind: RejectionKind, by: AnsweredBy) -> Rejection {
        self.meter.refused(kind, by);
        kind.into()
    }

    /// The fingerprint of a text: for the benchmark of it.
    #[cfg(feature = "test-util")]
    pub(crate) fn fingerprint(&self, text: &[u8]) -> Option<Fingerprint> {
        self.cache.fingerprint(text)
    }

    /// The entry of a session in the hit table: for the benchmark of it.
    #[cfg(feature = "test-util")]
    pub(crate) fn hit(&self, fingerprint: Fingerprint, bucket: [u8; 2]) -> Option<Session> {
        let hit = self.cache.hit(fingerprint, bucket, |_| ());
        hit.map(|(session, ())| session)
    }
}
