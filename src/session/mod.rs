//! A session as handlers see it, and the decision whether it is live.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::de::DeserializeOwned;

use crate::identity::Identity;
use crate::time::Timestamp;
use crate::token::{Fingerprint, SessionId};

mod checked;
mod data;
mod decision;
mod end;
mod known;
mod places;
mod record;
mod touch;
mod u48;
mod unusual;
mod usage;

pub(crate) use self::checked::{Checked, Unread};
pub use self::data::DataError;
pub(crate) use self::data::to_json;
pub(crate) use self::decision::{
    Facts, Freshness, Gap, Share, StoreState, Verdict, decide, decide_in_gap,
};
pub use self::end::EndReason;
pub(crate) use self::known::{Known, Stamp};
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) use self::record::KEPT_FOR_LATE_USES;
pub use self::record::Record;
pub use self::touch::Touch;
pub(crate) use self::unusual::Unusual;
pub(crate) use self::usage::Usage;

/// A live session: what a token stands for.
///
/// Handlers find it in the request's extensions, or take it as an argument with the `axum`
/// feature. Cloning is cheap. The client's token and the platform's session_key are no part of it.
#[derive(Clone)]
pub struct Session(Arc<Known>);

impl Session {
    pub(crate) fn new(id: SessionId, record: Record, stamp: Stamp) -> Self {
        Self(places::place(Known::new(id, record, stamp)))
    }

    /// Takes over what this node knows of the session's use and of its token from an earlier answer
    /// of the store. What is written is not taken over: the store has just said what it has.
    pub(crate) fn continuing(self, earlier: &Self) -> Self {
        self.0.usage.take_over(&earlier.0.usage);
        if let Some(fingerprint) = earlier.fingerprint() {
            self.was_presented(fingerprint);
        }
        self
    }

    /// The public name of the session: safe to show, to store and to log.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// Who logged in.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// The mini program that the user logged in to.
    #[must_use]
    pub fn appid(&self) -> &str {
        self.identity().appid()
    }

    /// The user's name within that mini program.
    #[must_use]
    pub fn openid(&self) -> &str {
        self.identity().openid()
    }

    /// The user's name across the apps of one Open Platform account, where there is one.
    #[must_use]
    pub fn unionid(&self) -> Option<&str> {
        self.identity().unionid()
    }

    /// When the user logged in; a rotation keeps it.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.logged_in_at().into()
    }

    /// When the session ends however much it is used.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.absolute_end().into()
    }

    /// The earliest instant at which the session ends if it is not used again.
    #[must_use]
    pub fn idle_expires_at(&self) -> SystemTime {
        self.idle_deadline().into()
    }

    /// The application's data, fixed at login; `None` where none was given.
    ///
    /// # Errors
    ///
    /// If the data is not of type `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, DataError> {
        let data = self.0.unusual.as_ref().and_then(|own| own.data.as_deref());
        let data = data.filter(|data| *data != "null");
        data.map(data::from_json).transpose()
    }

    /// What all copies share.
    pub(crate) const fn known(&self) -> &Arc<Known> {
        &self.0
    }

    /// That of its token, if this node has seen it.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.0.fingerprint()
    }

    /// Its token was seen.
    pub(crate) fn was_presented(&self, fingerprint: Fingerprint) {
        self.0.fingerprint.set(fingerprint);
    }

    pub(crate) fn logged_in_at(&self) -> Timestamp {
        Timestamp::from_millis(self.0.issued_at.get())
    }

    fn absolute_end(&self) -> Timestamp {
        let unusual = self.0.unusual.as_ref();
        unusual.map_or(self.0.hard_end, |own| own.absolute_end)
    }

    /// The session that took this one's place, as far as the store has said.
    pub(crate) fn successor(&self) -> Option<SessionId> {
        self.0.unusual.as_ref()?.successor
    }

    /// What is known of the record. Not its uses: to whoever takes it in, none is written.
    pub(crate) fn record(&self) -> Record {
        let unusual = self.0.unusual.as_deref();
        Record {
            identity: self.identity().clone(),
            absolute_end: self.absolute_end(),
            idle_deadline: Timestamp::default(),
            retires_at: unusual.and_then(|own| own.retires_at),
            idle_timeout: self.0.usage.idle_timeout(),
            issued_at: self.logged_in_at(),
            last_used: None,
            successor: self.successor(),
            data: unusual.and_then(|own| own.data.clone()),
        }
    }

    /// The number of changes on this node when it was read.
    pub(crate) fn as_of(&self) -> u64 {
        self.0.stamp.as_of
    }

    /// Its part of a time over which sessions are spread.
    pub(crate) fn share(&self) -> Share {
        let [.., high, low] = *self.0.id.as_bytes();
        Share(u16::from_be_bytes([high, low]))
    }

    /// When the session is over, as far as this node knows, if nothing more happens to it.
    pub(crate) fn end(&self) -> Timestamp {
        self.0.hard_end.min(self.idle_deadline())
    }

    #[inline]
    fn idle_deadline(&self) -> Timestamp {
        self.0.usage.idle_deadline()
    }

    /// When it was used, and what of that is written.
    #[inline]
    pub(crate) fn usage(&self) -> &Usage {
        &self.0.usage
    }
}

impl From<Arc<Known>> for Session {
    fn from(known: Arc<Known>) -> Self {
        Self(known)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .field("identity", self.identity())
            .field("issued_at", &self.logged_in_at())
            .field("expires_at", &self.absolute_end())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const ID: SessionId = SessionId::from_bytes([7; 18]);

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn record() -> Record {
        let alice = Identity::new("appid", "alice").with_unionid("a");
        Record::issued(alice, at(1_767_225_600_123), 30 * DAY, DAY, None)
    }

    /// With all that a session can have, some of it, and none.
    fn records() -> Vec<Record> {
        let plain = record();
        let with_data = Record {
            data: Some("7".into()),
            ..record()
        };
        let mut retired = record();
        retired.retire(at(1_767_225_601_000), ID);
        let mut beyond_the_end = with_data.clone();
        beyond_the_end.retire(plain.absolute_end.after(DAY), ID);
        vec![plain, with_data, retired, beyond_the_end]
    }

    #[test]
    fn a_session_knows_all_of_its_record_but_the_uses() {
        for record in records() {
            let session = Session::new(ID, record.clone(), Stamp::default());
            assert_eq!(session.end(), record.end());
            assert_eq!(session.expires_at(), SystemTime::from(record.absolute_end));
            assert_eq!(session.issued_at(), SystemTime::from(record.issued_at));
            assert_eq!(session.successor(), record.successor);
            let data: Option<u8> = session.data().unwrap();
            assert_eq!(data, record.data.is_some().then_some(7));
            let without_uses = Record {
                idle_deadline: Timestamp::default(),
                ..record
            };
            // Everything counts: `==` on an identity ignores the unionid.
            assert_eq!(
                format!("{:?}", session.record()),
                format!("{without_uses:?}")
            );
        }
    }

    #[test]
    fn of_what_is_known_again_no_use_is_written_and_none_forgotten() {
        let earlier = Session::new(ID, record(), Stamp::default());
        let again = Session::new(ID, earlier.record(), Stamp::default()).continuing(&earlier);
        assert_eq!(again.end(), earlier.end());
        let covered = record().issued_at.before(Duration::from_millis(1));
        assert_eq!(earlier.usage().note(ID, covered), None);
        assert!(again.usage().note(ID, covered).is_some());
    }
}
