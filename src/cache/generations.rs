use std::sync::atomic::{AtomicU64, Ordering};

use crate::SessionId;

/// Words per table: 2 × 32 KiB, and one revocation makes one session in 4096 be loaded again.
const STRIPES: usize = 4096;

/// Counts the revocations near each session.
///
/// A record that was loaded under another generation than the current one may have been read
/// before a revocation, wherever it was kept since. Hits only read these words.
pub(super) struct Generations {
    sessions: Box<[AtomicU64]>,
    users: Box<[AtomicU64]>,
}

impl Generations {
    pub(super) fn new() -> Self {
        let stripes = || (0..STRIPES).map(|_| AtomicU64::new(0)).collect();
        Self {
            sessions: stripes(),
            users: stripes(),
        }
    }

    /// Both counters only grow, so their sum changes whenever one of them does.
    #[inline]
    pub(super) fn of(&self, id: SessionId) -> u64 {
        let session = self.sessions[session_stripe(id)].load(Ordering::Acquire);
        let user = self.users[user_stripe(id.bucket())].load(Ordering::Acquire);
        session.wrapping_add(user)
    }

    pub(super) fn move_session(&self, id: SessionId) {
        self.sessions[session_stripe(id)].fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn move_user(&self, bucket: [u8; 2]) {
        self.users[user_stripe(bucket)].fetch_add(1, Ordering::AcqRel);
    }
}

fn session_stripe(id: SessionId) -> usize {
    let [_, _, a, b, ..] = *id.as_bytes();
    usize::from(u16::from_be_bytes([a, b])) % STRIPES
}

fn user_stripe(bucket: [u8; 2]) -> usize {
    usize::from(u16::from_be_bytes(bucket)) % STRIPES
}
