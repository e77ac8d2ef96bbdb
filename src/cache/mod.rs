//! What this node knows of sessions: entries, ends, revocations under way, and how fresh that is.
//!
//! It speeds up and never decides: whatever comes out of it is still judged by `decide`. It waits
//! for nothing and reads no store. [`look`](Cache::look) is the one way to what is known.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use crate::recent::recent;
use crate::session::{Known, Record, Session, Stamp};
use crate::store::{Loaded, StoreError};
use crate::time::Uptime;
use crate::token::{Fingerprint, FingerprintKey, SessionId, SpreadIds};

mod answer;
mod changes;
mod entries;
mod find;
mod invalidate;
mod link;
mod table;
mod tombstones;
mod waiters;

pub(crate) use self::answer::{Answer, Gone};
use self::changes::Changes;
use self::entries::Entries;
use self::find::find;
use self::link::Link;
use self::tombstones::Tombstones;
use self::waiters::Waiters;

/// Tokens remembered as not live, oldest out: few, because they are worth little.
const GONE_CAPACITY: u64 = 10_000;
/// For how long; a store learns of a token that it did not know only by issuing it.
const GONE_MEMORY: Duration = Duration::from_secs(5);

/// Rotations remembered, oldest out, and for how long: more than the grace of usual settings.
const SUCCESSORS: u64 = 10_000;
const SUCCESSOR_MEMORY: Duration = Duration::from_secs(10 * 60);

pub(crate) struct Cache {
    /// Without it nothing is a hit, and everything else works as it does with it.
    key: Option<FingerprintKey>,
    live: Entries,
    gone: moka::sync::Cache<SessionId, (Gone, Uptime), SpreadIds>,
    /// What rotations on this node have put in the place of what.
    successors: moka::sync::Cache<SessionId, SessionId>,
    changes: Changes,
    tombstones: Tombstones,
    link: Link,
    waiters: Arc<Waiters>,
}

/// What is known.
impl Cache {
    /// For up to `capacity` sessions, each for as long as what the store said of it is `useful_for`.
    pub(crate) fn new(capacity: u64, useful_for: Duration) -> Self {
        Self {
            key: FingerprintKey::random(),
            live: Entries::new(capacity, useful_for),
            gone: recent(GONE_CAPACITY, GONE_MEMORY),
            successors: recent(SUCCESSORS, SUCCESSOR_MEMORY),
            changes: Changes::new(capacity),
            tombstones: Tombstones::default(),
            link: Link::default(),
            waiters: Arc::new(Waiters::new()),
        }
    }

    /// The fingerprint of a text that may be a token's.
    #[inline]
    pub(crate) fn fingerprint(&self, text: &[u8]) -> Option<Fingerprint> {
        self.key.as_ref()?.of(text)
    }

    /// The entry of a session in the hit table, and how it is judged, unless something changed near it
    /// since.
    #[inline]
    pub(crate) fn hit<J>(
        &self,
        fingerprint: Fingerprint,
        bucket: [u8; 2],
        judge: impl Fn(&Known) -> J,
    ) -> Option<(Session, J)> {
        // Read first, because the processor gets its line while it looks into the table. A change
        // that is marked between the two is not seen. But it is not acknowledged before it is
        // marked: whoever was told of it comes with a later request.
        let in_group = self.changes.last_in_group(bucket);
        self.live.hit(fingerprint, |known| {
            let is_newer = known.as_of() >= in_group || self.is_newer(known);
            is_newer.then(|| judge(known))
        })
    }

    /// The token of a session was presented: from now on it is a hit, if there is an entry.
    pub(crate) fn present(&self, session: &Session, fingerprint: Option<Fingerprint>) {
        if let Some(fingerprint) = fingerprint {
            self.live.present(session, fingerprint);
        }
    }

    /// What is known of a session: its entry, unless something changed near it since, or that it
    /// was found to be over a moment ago.
    pub(crate) fn look(&self, id: SessionId, now: Uptime) -> Option<Result<Session, Gone>> {
        let session = self.live.get(id);
        if let Some(session) = session.filter(|session| self.is_current(session)) {
            return Some(Ok(session));
        }
        let (gone, found_at) = find(&self.gone, &id)?;
        (now.since(found_at) < GONE_MEMORY).then_some(Err(gone))
    }

    /// Whether there is an entry of a session, of whatever age.
    pub(crate) fn has(&self, id: SessionId) -> bool {
        self.live.get(id).is_some()
    }

    /// What is known of a session while the store is unavailable, whatever changed near it.
    pub(crate) fn known(&self, id: SessionId) -> Option<Answer> {
        let session = self.live.get(id)?;
        let shadow = self.shadow(id, &session.record(), session.as_of());
        Some(shadow.unwrap_or(Answer::Live(session)))
    }

    /// Whether nothing changed near a session since it was read.
    pub(crate) fn is_current(&self, session: &Session) -> bool {
        self.is_newer(session.known())
    }

    /// Whether a session was read after the last changes near it. Apart from a hit, which seldom asks.
    #[inline(never)]
    fn is_newer(&self, known: &Known) -> bool {
        let of_user = self.changes.last_near_user(known.id().bucket());
        let last = of_user.max(self.changes.last_near_session(known.id()));
        known.as_of() >= last
    }
}

/// What reads of the store bring, and what is forgotten.
impl Cache {
    /// The stamp for a read that starts now.
    pub(crate) fn stamp(&self, now: Uptime) -> Stamp {
        Stamp {
            confirmed_at: now,
            as_of: self.changes.now(),
        }
    }

    /// What a revocation on this node says of a session, so that it need not be read.
    pub(crate) fn is_revoked(&self, id: SessionId, stamp: Stamp) -> Option<Answer> {
        let shadow = self.tombstones.find(id, None, stamp.as_of);
        shadow.map(Answer::from)
    }

    /// Takes in what the store answered to a read that started with this stamp. Errors are no
    /// knowledge, and neither is a record that a revocation on this node speaks against.
    ///
    /// If its token was presented, it is a hit from now on.
    pub(crate) fn take_in(
        &self,
        id: SessionId,
        stamp: Stamp,
        presented: Option<Fingerprint>,
        loaded: Result<Loaded, StoreError>,
    ) -> Answer {
        match loaded {
            Ok(Loaded::Live(record)) => match self.shadow(id, &record, stamp.as_of) {
                Some(shadow) => shadow,
                None => Answer::Live(self.confirm(id, stamp, presented, record)),
            },
            Ok(Loaded::Ended { reason, .. }) => self.found_gone(id, stamp, Gone::Ended(reason)),
            Ok(Loaded::NeverSeen) => self.found_gone(id, stamp, Gone::NeverSeen),
            Err(error) => Answer::Failed(error),
        }
    }

    fn confirm(
        &self,
        id: SessionId,
        stamp: Stamp,
        presented: Option<Fingerprint>,
        record: Record,
    ) -> Session {
        let session = Session::new(id, record, stamp);
        let session = match self.live.get(id) {
            Some(earlier) => session.continuing(&earlier),
            None => session,
        };
        // Before it is put anywhere: who takes it out again goes by this.
        if let Some(fingerprint) = presented {
            session.was_presented(fingerprint);
        }
        self.keep(&session);
        session
    }

    fn found_gone(&self, id: SessionId, stamp: Stamp, gone: Gone) -> Answer {
        self.live.remove(id);
        self.gone.insert(id, (gone, stamp.confirmed_at));
        self.waiters.wake(id);
        Answer::Gone(gone)
    }

    /// Keeps a session as the store knew it when its stamp was taken.
    pub(crate) fn keep(&self, session: &Session) {
        self.live.insert(session);
        // A change that came in between may have found nothing to remove, but was marked before it
        // looked: either it sees the entry, or this sees the mark. The other fence is in `mark`.
        fence(Ordering::SeqCst);
        if !self.is_current(session) {
            self.live.remove(session.id());
        }
    }

    /// A session is in use, and kept: moka does not see all of its hits.
    pub(crate) fn is_in_use(&self, id: SessionId) {
        self.live.get(id);
    }

    /// Entries at the moment, to within what moka has not counted yet.
    pub(crate) fn len(&self) -> u64 {
        self.live.len()
    }

    /// Forgets what is over. Never on a request: it works off what moka has put off.
    pub(crate) fn forget_what_is_over(&self, now: Uptime) {
        self.live.sweep();
        self.gone.run_pending_tasks();
        self.successors.run_pending_tasks();
        self.tombstones.sweep(now);
    }
}
