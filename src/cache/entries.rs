use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::table::{Table, any_number};
use crate::session::Session;
use crate::token::SessionId;

/// moka hears of one hit in so many, so that it keeps what is in use.
const HITS_PER_SAMPLE: usize = 128;
/// moka takes no more than a thousand years.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The sessions in the cache of this node.
///
/// moka says which those are; the table in front of it answers hits.
///
/// Full, it evicts what was used longest ago. moka hears of the use of a session when it is
/// confirmed, when the use is written to the store, and of one hit in [`HITS_PER_SAMPLE`]: nothing
/// that requests rely on goes before what nobody has used for the time between confirmations.
/// moka's own policy, `TinyLfu`, turns newcomers away from a full cache instead
/// (`benches/peers/src/eviction/mod.rs` compares them).
pub(super) struct Entries {
    table: Arc<Table>,
    moka: Cache<Key, Session>,
}

/// A half of the digest in a session's id, because moka keeps its keys in a place of their own. Of
/// two sessions with the same one the later takes the place of the other: who looks compares the id.
type Key = u64;

fn key(id: SessionId) -> Key {
    let [_, _, a, b, c, d, e, f, g, h, ..] = *id.as_bytes();
    Key::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Entries {
    /// Up to `capacity` sessions, each for `useful_for` after the last of these: in real
    /// time, which is moka's, whatever clock a test may move.
    ///
    /// Not for as long after it was put in, which would take moka a second queue: 48 bytes each.
    pub(super) fn new(capacity: u64, useful_for: Duration) -> Self {
        let table = Arc::new(Table::new(capacity));
        let forgetful = Arc::clone(&table);
        let moka = Cache::builder()
            .max_capacity(capacity)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(useful_for.min(LONGEST))
            .eviction_listener(move |_, session: Session, _| forgetful.remove(&session))
            .build();
        Self { table, moka }
    }

    /// What the table has of a session: the fast way, for requests.
    #[inline]
    pub(super) fn hit(&self, id: SessionId) -> Option<Session> {
        let hit = self.table.get(id)?;
        if any_number().is_multiple_of(HITS_PER_SAMPLE) {
            self.in_moka(id);
        }
        Some(hit)
    }

    /// The entry of a session; from now on the table has it too.
    pub(super) fn get(&self, id: SessionId) -> Option<Session> {
        self.table.get(id).or_else(|| {
            let session = self.in_moka(id)?;
            self.table.put(&session);
            // moka may have evicted it in between, and its listener has found nothing in the table: nobody
            // would take it out again.
            if !self.moka.contains_key(&key(id)) {
                self.table.remove(&session);
            }
            Some(session)
        })
    }

    /// The entry of a session, whatever the table has. It counts as a use of it.
    pub(super) fn in_moka(&self, id: SessionId) -> Option<Session> {
        let session = self.moka.get(&key(id))?;
        (session.id() == id).then_some(session)
    }

    /// First into the table: what moka evicts again at once is taken out of it.
    pub(super) fn insert(&self, session: &Session) {
        self.table.make_room(self.moka.entry_count());
        self.table.put(session);
        self.moka.insert(key(session.id()), session.clone());
    }

    pub(super) fn remove(&self, id: SessionId) {
        self.moka.invalidate(&key(id));
        self.table.remove_all(id);
    }

    /// How many, to within what moka has not counted yet.
    pub(super) fn len(&self) -> u64 {
        self.moka.entry_count()
    }

    /// Evicts what is useless by now. Never on a request: it works off what moka has put off.
    pub(super) fn sweep(&self) {
        self.moka.run_pending_tasks();
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::session_of;
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn session(number: u16) -> Session {
        let mut id = [0; 18];
        // As spread as a digest is.
        for (i, byte) in id.iter_mut().enumerate() {
            *byte = ((u32::from(number) * 40_503) >> (i % 9)) as u8;
        }
        id[16..].copy_from_slice(&number.to_be_bytes());
        session_of(id)
    }

    #[test]
    fn what_moka_evicts_is_in_the_table_no_longer() {
        let entries = Entries::new(100, HOUR);
        let sessions: Vec<_> = (0..1000).map(session).collect();
        for session in &sessions {
            entries.insert(session);
            assert!(entries.hit(session.id()).is_some());
            entries.moka.run_pending_tasks();
        }
        let in_table = sessions.iter().filter(|s| entries.hit(s.id()).is_some());
        assert!(in_table.count() <= 100);
        assert_eq!(entries.len(), 100);
    }

    #[test]
    fn what_the_table_alone_has_is_no_entry_and_can_be_removed() {
        let entries = Entries::new(100, HOUR);
        let late = session(7);
        entries.insert(&late);
        entries.remove(late.id());
        // Whoever had it from moka before that puts it into the table after it.
        entries.table.put(&late);
        assert!(entries.in_moka(late.id()).is_none());
        entries.insert(&late);
        entries.remove(late.id());
        assert!(entries.hit(late.id()).is_none());
    }

    #[test]
    fn what_is_hit_is_kept() {
        let entries = Entries::new(100, HOUR);
        let hot = session(0);
        entries.insert(&hot);
        (1..100).for_each(|number| entries.insert(&session(number)));
        for number in 100..1000 {
            for _ in 0..10 * HITS_PER_SAMPLE {
                assert!(entries.hit(hot.id()).is_some());
            }
            let other = session(number);
            entries.insert(&other);
            for _ in 0..5 {
                entries.in_moka(other.id());
            }
            entries.moka.run_pending_tasks();
        }
        assert!(entries.in_moka(hot.id()).is_some());
    }

    #[test]
    fn who_comes_last_is_kept_by_a_full_cache() {
        let entries = Entries::new(100, HOUR);
        for number in 0..1000 {
            let session = session(number);
            entries.insert(&session);
            for _ in 0..5 {
                entries.in_moka(session.id());
            }
            entries.sweep();
            assert!(entries.in_moka(session.id()).is_some(), "{number}");
        }
    }

    #[test]
    fn what_is_useless_leaves_the_cache_and_the_table() {
        // moka has no clock that a test could move.
        let entries = Entries::new(100, Duration::from_millis(20));
        (0..50).for_each(|number| entries.insert(&session(number)));
        entries.sweep();
        std::thread::sleep(Duration::from_millis(30));
        entries.insert(&session(50));
        entries.sweep();
        assert_eq!(entries.len(), 1);
        let in_table = (0..50).filter(|number| entries.hit(session(*number).id()).is_some());
        assert_eq!(in_table.count(), 0);
        assert!(entries.hit(session(50).id()).is_some());
    }

    #[test]
    fn what_the_table_has_no_room_for_is_an_entry_still() {
        let entries = Entries::new(1000, HOUR);
        let sessions: Vec<_> = (0..1000).map(session).collect();
        sessions.iter().for_each(|session| entries.insert(session));
        entries.table.remove(&sessions[7]);
        assert!(entries.hit(sessions[7].id()).is_none());
        assert!(entries.get(sessions[7].id()).is_some());
        assert!(entries.hit(sessions[7].id()).is_some());
        entries.remove(sessions[7].id());
        assert!(entries.get(sessions[7].id()).is_none());
    }

    #[test]
    fn sessions_with_one_key_are_never_taken_for_each_other() {
        let entries = Entries::new(100, HOUR);
        let mut id = [1; 18];
        let one = session_of(id);
        id[17] = 2;
        let other = session_of(id);
        assert_eq!(key(one.id()), key(other.id()));
        entries.insert(&one);
        assert!(entries.in_moka(other.id()).is_none());
        assert!(entries.get(other.id()).is_none());

        entries.insert(&other);
        entries.sweep();
        assert!(entries.get(one.id()).is_none(), "nothing would take it out");
        assert!(entries.get(other.id()).is_some());
    }
}
