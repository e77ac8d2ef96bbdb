use super::u48::U48;
use super::{Facts, Record, Unusual, Usage};
use crate::identity::Identity;
use crate::time::{Timestamp, Uptime};
use crate::token::{Fingerprint, OnceFingerprint, SessionId};

/// What this node knows of a session, in one place however many hold it.
///
/// What a hit looks at comes first: with the two counts before it 80 bytes, which lie in two lines of
/// the processor's cache wherever they begin at a multiple of 16. What a handler looks at comes next.
/// Times are in milliseconds.
#[repr(C)]
pub(crate) struct Known {
    pub(super) fingerprint: OnceFingerprint,
    pub(super) stamp: Stamp,
    /// When it ends however much it is used: its retirement, or the absolute end.
    pub(super) hard_end: Timestamp,
    pub(super) usage: Usage,
    pub(super) identity: Identity,
    pub(super) id: SessionId,
    pub(super) issued_at: U48,
    pub(super) unusual: Option<Box<Unusual>>,
}

/// What the cache has to know of an answer of the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    /// When it was read, by this node's clock
    pub(crate) confirmed_at: Uptime,
    /// and by its number of changes: what changed later may not be in it.
    pub(crate) as_of: u64,
}

impl Known {
    pub(super) fn new(id: SessionId, record: Record, stamp: Stamp) -> Self {
        Self {
            fingerprint: OnceFingerprint::default(),
            id,
            issued_at: U48::new(record.issued_at.as_millis()),
            stamp,
            hard_end: record.hard_end(),
            usage: Usage::new(&record),
            unusual: Unusual::of(&record),
            identity: record.identity,
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    #[inline]
    pub(crate) fn as_of(&self) -> u64 {
        self.stamp.as_of
    }

    #[inline]
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            unusual: &self.unusual,
            hard_end: self.hard_end,
            idle_deadline: self.usage.idle_deadline(),
            confirmed_at: self.stamp.confirmed_at,
            as_of: self.stamp.as_of,
        }
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint.get()
    }

    #[inline]
    pub(crate) fn has(&self, fingerprint: Fingerprint) -> bool {
        self.fingerprint.is(fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn a_session_takes_no_more_than_this() {
        assert_eq!(size_of::<Known>(), 136);
    }

    #[test]
    fn a_hit_looks_at_two_lines() {
        let counts = 2 * size_of::<usize>();
        assert_eq!(counts + offset_of!(Known, identity), 80);
    }
}
