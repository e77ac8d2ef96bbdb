use std::sync::atomic::{AtomicU32, Ordering};

use crate::token::SessionId;

/// Words that share a line of the processor's cache: a hit looks at one line.
const WORDS: usize = 16;
/// Those for all sessions of a user. The others are for single sessions.
const OF_USERS: usize = 4;
const OF_SESSIONS: usize = WORDS - OF_USERS;

/// Sessions of the cache's capacity for each line: 16 bytes a session.
const SESSIONS_PER_LINE: u64 = 4;
/// 4 KiB.
const FEWEST_LINES: u64 = 64;
/// 1 MiB: each of the 65 536 buckets of users has a word of its own, and 3 000 ends elsewhere have
/// one session in 66 loaded again.
const MOST_LINES: u64 = 1 << 14;

/// Counts the revocations near each session.
///
/// A record that was loaded under another generation than the current one may have been read
/// before a revocation, wherever it was kept since. Hits only read these words.
///
/// Of *n* words for sessions, *r* revocations move *r* / *n*, and the sessions of those are loaded
/// again, so their number follows the capacity of the cache and not its load.
pub(super) struct Generations(Box<[Line]>);

/// A word comes around after 2³² revocations near a session, and a record is confirmed long before.
#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU32; WORDS]);

impl Generations {
    /// For a cache of so many sessions.
    pub(super) fn new(capacity: u64) -> Self {
        let lines = (capacity / SESSIONS_PER_LINE).clamp(FEWEST_LINES, MOST_LINES);
        Self(
            (0..lines.next_power_of_two())
                .map(|_| Line::default())
                .collect(),
        )
    }

    /// Both counters only grow, so their sum changes whenever one of them does.
    #[inline]
    pub(super) fn of(&self, id: SessionId) -> u64 {
        let (line, user) = self.place(id.bucket());
        // Acquire, like AcqRel below: whoever sees a revocation counted sees its tombstone too,
        // which was raised before.
        let session = line.0[session_word(id)].load(Ordering::Acquire);
        let user = line.0[user].load(Ordering::Acquire);
        u64::from(session) + u64::from(user)
    }

    pub(super) fn move_session(&self, id: SessionId) {
        let (line, _) = self.place(id.bucket());
        line.0[session_word(id)].fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn move_user(&self, bucket: [u8; 2]) {
        let (line, user) = self.place(bucket);
        line.0[user].fetch_add(1, Ordering::AcqRel);
    }

    /// The line of a user, and the user's word in it.
    #[inline]
    fn place(&self, bucket: [u8; 2]) -> (&Line, usize) {
        let bucket = usize::from(u16::from_be_bytes(bucket));
        let line = &self.0[bucket & (self.0.len() - 1)];
        (line, (bucket >> 14) % OF_USERS)
    }
}

/// By a byte that the hit table does not go by.
#[inline]
fn session_word(id: SessionId) -> usize {
    let byte = usize::from(id.as_bytes()[6]);
    OF_USERS + byte * OF_SESSIONS / 256
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn session(number: u32) -> SessionId {
        let digest = Sha256::digest(number.to_le_bytes());
        SessionId::from_bytes(digest[..18].try_into().unwrap())
    }

    /// How many of 300 sessions are loaded again after 3 000 others have ended.
    fn loaded_again(capacity: u64) -> usize {
        let generations = Generations::new(capacity);
        let warm: Vec<_> = (0..300).map(session).collect();
        let before: Vec<_> = warm.iter().map(|id| generations.of(*id)).collect();
        (300..3300).for_each(|number| generations.move_session(session(number)));
        let moved = warm.iter().zip(before);
        moved
            .filter(|(id, before)| generations.of(**id) != *before)
            .count()
    }

    #[test]
    fn other_sessions_ends_have_few_sessions_loaded_again() {
        assert_eq!(loaded_again(200_000), 4);
        assert!(loaded_again(20_000) <= 300 / 20);
    }

    #[test]
    fn each_bucket_has_a_word_of_its_own_and_each_session_shares_its_user_s() {
        let generations = Generations::new(200_000);
        let id = session(1);
        let before = generations.of(id);
        for bucket in (0..=u16::MAX).filter(|bucket| bucket.to_be_bytes() != id.bucket()) {
            generations.move_user(bucket.to_be_bytes());
        }
        assert_eq!(generations.of(id), before);
        generations.move_user(id.bucket());
        assert_ne!(generations.of(id), before);
    }

    #[test]
    fn the_size_follows_the_capacity() {
        for (capacity, lines) in [(1, 64), (1000, 256), (200_000, 16_384), (u64::MAX, 16_384)] {
            assert_eq!(Generations::new(capacity).0.len(), lines);
        }
        assert_eq!(size_of::<Line>(), 64);
    }
}
