use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::token::SessionId;

/// Words that share a line of the processor's cache: those of a user and of a session are on one.
const WORDS: usize = 8;
/// Those for all sessions of a user. The others are for single sessions.
const OF_USERS: usize = 2;
const OF_SESSIONS: usize = WORDS - OF_USERS;

/// Sessions of the cache's capacity for each line: 16 bytes a session.
const SESSIONS_PER_LINE: u64 = 4;
/// 4 KiB.
const FEWEST_LINES: u64 = 64;
/// 2 MiB: each of the 65 536 buckets of users has a word of its own, and 3 000 ends elsewhere have
/// one session in 66 read again.
const MOST_LINES: u64 = 1 << 15;

/// The most groups of lines, each with a word for the last change in any of its lines: 64 KiB in all,
/// which stay near the processor. A hit seldom looks further.
const MOST_GROUPS: usize = 1 << 13;

/// The one clock of change on this node: what was read before something changed, and what after.
///
/// Every read of the store is numbered when it starts, and every change when it becomes known. The
/// number of the last change near a session stands in two words, its own stripe's and its user's.
/// What was read at number *a* is good iff *a* is no less than both: a change whose number is
/// greater may not be in it. A link's beginning is a number of this clock, too.
///
/// A hit looks at a third word first: the last change in a group of lines. What was read at a number no
/// less than that is good, since neither of its own words is greater. Most hits end there.
///
/// Of *n* stripes for sessions, *r* revocations move *r* / *n*, and the sessions of those are read
/// again, so their number follows the capacity of the cache and not its load.
///
/// A clock would do instead of a count, if no two things ever happened within one of its ticks.
pub(super) struct Changes {
    /// The number of the last change.
    last: AtomicU64,
    stripes: Box<[Line]>,
    groups: Box<[AtomicU64]>,
}

#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU64; WORDS]);

impl Changes {
    /// For a cache of so many sessions.
    pub(super) fn new(capacity: u64) -> Self {
        let lines = (capacity / SESSIONS_PER_LINE).clamp(FEWEST_LINES, MOST_LINES);
        let stripes: Box<[Line]> = (0..lines.next_power_of_two())
            .map(|_| Line::default())
            .collect();
        let groups = 0..stripes.len().min(MOST_GROUPS);
        Self {
            // 0 stands for "never": a node without a link has one that began at 0.
            last: AtomicU64::new(1),
            groups: groups.map(|_| AtomicU64::default()).collect(),
            stripes,
        }
    }

    /// The number of a read that starts now.
    pub(super) fn now(&self) -> u64 {
        // SeqCst, with `advance`: a read that starts after a change was numbered has its number.
        self.last.load(Ordering::SeqCst)
    }

    /// Numbers a change: reads that started before have smaller numbers, later ones do not.
    pub(super) fn advance(&self) -> u64 {
        self.last.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The number of the last change near any of the users in a group, and near their sessions. Hits
    /// read this word, rarely the other two, and write none.
    #[inline]
    pub(super) fn last_in_group(&self, bucket: [u8; 2]) -> u64 {
        // Acquire, as below.
        self.group(bucket).load(Ordering::Acquire)
    }

    /// The number of the last change near a user.
    pub(super) fn last_near_user(&self, bucket: [u8; 2]) -> u64 {
        let (line, user) = self.place(bucket);
        // Acquire, with the Release of `mark`: whoever sees the number of a revocation sees its
        // tombstone, too, which was added before.
        line.0[user].load(Ordering::Acquire)
    }

    /// The number of the last change near a session, without those of its user.
    pub(super) fn last_near_session(&self, id: SessionId) -> u64 {
        let (line, _) = self.place(id.bucket());
        // Acquire, as above.
        line.0[session_word(id)].load(Ordering::Acquire)
    }

    /// Something has changed about a session.
    pub(super) fn session_changed(&self, id: SessionId) {
        let (line, _) = self.place(id.bucket());
        self.mark(&line.0[session_word(id)], self.group(id.bucket()));
    }

    /// Something has changed about the sessions of a user.
    pub(super) fn user_changed(&self, bucket: [u8; 2]) {
        let (line, user) = self.place(bucket);
        self.mark(&line.0[user], self.group(bucket));
    }

    /// Between the first step and the last a read may start that has the new number and finds an old
    /// mark. It is good all the same: either the store knew of the change before this node did, or there is a
    /// tombstone, which stays until a second mark after the store has acknowledged.
    fn mark(&self, stripe: &AtomicU64, group: &AtomicU64) {
        let number = self.advance();
        // The maximum, because two that mark one stripe may come here in the other order. The group
        // after it: whoever is sent on by the group finds the stripe.
        stripe.fetch_max(number, Ordering::Release);
        group.fetch_max(number, Ordering::Release);
        // With the fence of `Cache::keep`: each writes first and looks then, so that one of the two
        // sees the other. Without both fences a processor may let both look first.
        fence(Ordering::SeqCst);
    }

    /// The word of the lines of a user and some others.
    #[inline]
    fn group(&self, bucket: [u8; 2]) -> &AtomicU64 {
        let bucket = usize::from(u16::from_be_bytes(bucket));
        &self.groups[bucket & (self.groups.len() - 1)]
    }

    /// The line of a user, and the user's word in it.
    fn place(&self, bucket: [u8; 2]) -> (&Line, usize) {
        let bucket = usize::from(u16::from_be_bytes(bucket));
        let line = &self.stripes[bucket & (self.stripes.len() - 1)];
        (line, (bucket >> 15) % OF_USERS)
    }
}

/// By a byte that nothing else goes by.
fn session_word(id: SessionId) -> usize {
    let byte = usize::from(id.as_bytes()[6]);
    OF_USERS + byte * OF_SESSIONS / 256
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn last_near(changes: &Changes, id: SessionId) -> u64 {
        let of_session = changes.last_near_session(id);
        of_session.max(changes.last_near_user(id.bucket()))
    }

    fn session(number: u32) -> SessionId {
        let digest = Sha256::digest(number.to_le_bytes());
        SessionId::from_bytes(digest[..18].try_into().unwrap())
    }

    /// How many of 300 sessions are read again after 3 000 others have ended.
    fn read_again(capacity: u64) -> usize {
        let changes = Changes::new(capacity);
        let warm: Vec<_> = (0..300).map(session).collect();
        let before: Vec<_> = warm.iter().map(|id| last_near(&changes, *id)).collect();
        (300..3300).for_each(|number| changes.session_changed(session(number)));
        let moved = warm.iter().zip(before);
        moved
            .filter(|(id, before)| last_near(&changes, **id) != *before)
            .count()
    }

    #[test]
    fn other_sessions_ends_have_few_sessions_read_again() {
        assert_eq!(read_again(200_000), 4);
        assert!(read_again(20_000) <= 300 / 20);
    }

    #[test]
    fn each_bucket_has_a_word_of_its_own_and_each_session_shares_its_user_s() {
        let changes = Changes::new(200_000);
        let id = session(1);
        let before = last_near(&changes, id);
        for bucket in (0..=u16::MAX).filter(|bucket| bucket.to_be_bytes() != id.bucket()) {
            changes.user_changed(bucket.to_be_bytes());
        }
        assert_eq!(last_near(&changes, id), before);
        changes.user_changed(id.bucket());
        assert_ne!(last_near(&changes, id), before);
    }

    #[test]
    fn a_group_has_the_last_change_of_whatever_is_in_it_and_of_nothing_else() {
        let changes = Changes::new(200_000);
        for number in 0..1000 {
            let (id, other) = (session(number), session(number + 1000));
            let before = changes.last_in_group(other.bucket());
            changes.session_changed(id);
            assert_eq!(changes.last_in_group(id.bucket()), last_near(&changes, id));
            changes.user_changed(id.bucket());
            assert_eq!(changes.last_in_group(id.bucket()), last_near(&changes, id));
            let is_same =
                changes.group(other.bucket()).as_ptr() == changes.group(id.bucket()).as_ptr();
            assert_eq!(changes.last_in_group(other.bucket()) == before, !is_same);
        }
    }

    #[test]
    fn the_size_follows_the_capacity() {
        for (capacity, lines, groups) in [
            (1, 64, 64),
            (1000, 256, 256),
            (200_000, 32_768, 8192),
            (u64::MAX, 32_768, 8192),
        ] {
            let changes = Changes::new(capacity);
            assert_eq!(changes.stripes.len(), lines);
            assert_eq!(changes.groups.len(), groups);
        }
        assert_eq!(size_of::<Line>(), 64);
    }

    #[test]
    fn what_was_read_before_a_change_is_older_than_its_mark_and_what_comes_later_is_not() {
        let changes = Changes::new(1000);
        let (id, before) = (session(1), changes.now());
        changes.session_changed(id);
        assert!(before < last_near(&changes, id));
        assert!(changes.now() >= last_near(&changes, id));
        let before = changes.now();
        changes.user_changed(id.bucket());
        assert!(before < last_near(&changes, id));
        assert!(changes.now() >= last_near(&changes, id));
    }
}
