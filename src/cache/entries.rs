use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::find::find;
use super::table::{Table, any_number};
use crate::session::{Known, Session};
use crate::token::{Fingerprint, SessionId, SpreadIds};

/// moka hears of one hit in so many, so that it keeps what is in use.
const HITS_PER_SAMPLE: usize = 128;
/// Sessions that moka makes room for at the beginning, 1 MiB: while it grows it moves all that it has, time and again.
const ROOM_AT_FIRST: u64 = 1 << 16;
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
// What is in the table is in moka, or on its way into it or out of the table: whoever puts something
// into the table puts it into moka next, or looks afterwards whether it is there; and what leaves moka
// is taken out of the table by moka's listener, within the call that made it leave. Nothing can be
// taken out by its id alone: the fingerprint, which says where to look, is written on the session
// before it is put. So `present` and the listener are Dekker's two threads. The one writes the
// fingerprint and the slot, and then looks into moka; the other has taken the session out of moka,
// and then looks for its fingerprint and into the slot. With a fence between both steps of each, at
// least one of them sees what the other has written.
pub(super) struct Entries {
    table: Arc<Table>,
    moka: Cache<Key, Session, SpreadIds>,
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
        let left = move |_: Arc<Key>, session: Session, _: RemovalCause| {
            fence(Ordering::SeqCst);
            forgetful.remove(&session);
        };
        let moka = Cache::builder()
            .max_capacity(capacity)
            .initial_capacity(usize::try_from(capacity.min(ROOM_AT_FIRST)).unwrap_or_default())
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(useful_for.min(LONGEST))
            .eviction_listener(left)
            .build_with_hasher(SpreadIds::default());
        Self { table, moka }
    }

    /// What the table has of a session, and what that is judged to be, unless that is nothing: the fast
    /// way, for requests.
    #[inline]
    pub(super) fn hit<J>(
        &self,
        fingerprint: Fingerprint,
        judge: impl Fn(&Known) -> Option<J>,
    ) -> Option<(Session, J)> {
        let (session, judged) = self.table.get(fingerprint, judge)?;
        if any_number().is_multiple_of(HITS_PER_SAMPLE) {
            self.get(session.id());
        }
        Some((session, judged))
    }

    /// The entry of a session, whatever the table has. It counts as a use of it.
    pub(super) fn get(&self, id: SessionId) -> Option<Session> {
        let session = find(&self.moka, &key(id))?;
        (session.id() == id).then_some(session)
    }

    /// The token of a session was presented: from now on the table has the session, if it is an
    /// entry.
    pub(super) fn present(&self, session: &Session, fingerprint: Fingerprint) {
        session.was_presented(fingerprint);
        self.table.put(session);
        fence(Ordering::SeqCst);
        let entry = self.get(session.id());
        if !entry.is_some_and(|entry| Arc::ptr_eq(entry.known(), session.known())) {
            self.table.remove(session);
        }
    }

    /// First into the table: what moka evicts again at once is taken out of it.
    pub(super) fn insert(&self, session: &Session) {
        self.table.make_room(self.moka.entry_count());
        self.table.put(session);
        self.moka.insert(key(session.id()), session.clone());
    }

    pub(super) fn remove(&self, id: SessionId) {
        self.moka.invalidate(&key(id));
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
    use std::sync::Barrier;
    use std::thread;

    use super::super::table::tests::{session_of, unseen};
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn session(number: u16) -> Session {
        session_of(bits(number))
    }

    /// As spread as a fingerprint is.
    fn bits(number: u16) -> u128 {
        u128::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }

    fn fingerprint(number: u16) -> Fingerprint {
        Fingerprint::from_bits(bits(number))
    }

    fn is_hit(entries: &Entries, session: &Session) -> bool {
        session
            .fingerprint()
            .is_some_and(|of_it| finds(entries, of_it))
    }

    fn finds(entries: &Entries, fingerprint: Fingerprint) -> bool {
        entries.hit(fingerprint, |_| Some(())).is_some()
    }

    #[test]
    fn what_moka_evicts_is_in_the_table_no_longer() {
        let entries = Entries::new(100, HOUR);
        let sessions: Vec<_> = (0..1000).map(session).collect();
        for session in &sessions {
            entries.insert(session);
            assert!(is_hit(&entries, session));
            entries.moka.run_pending_tasks();
        }
        let in_table = sessions.iter().filter(|session| is_hit(&entries, session));
        assert!(in_table.count() <= 100);
        assert_eq!(entries.len(), 100);
    }

    #[test]
    fn what_is_presented_is_in_the_table_until_it_is_removed() {
        let entries = Entries::new(100, HOUR);
        let late = unseen(bits(7));
        entries.insert(&late);
        assert!(!finds(&entries, fingerprint(7)));
        entries.present(&late, fingerprint(7));
        assert!(finds(&entries, fingerprint(7)));
        entries.remove(late.id());
        assert!(!finds(&entries, fingerprint(7)));
        assert!(entries.get(late.id()).is_none());
    }

    #[test]
    fn what_is_no_entry_any_more_is_not_in_the_table_however_late_it_is_presented() {
        let entries = Entries::new(100, HOUR);
        let (late, newer) = (unseen(bits(7)), unseen(bits(7)));
        entries.insert(&late);
        let found = entries.get(late.id()).unwrap();
        entries.remove(late.id());
        entries.present(&found, fingerprint(7));
        assert!(!finds(&entries, fingerprint(7)));
        // Nor is what another answer has taken the place of.
        entries.insert(&newer);
        entries.present(&found, fingerprint(7));
        assert!(!finds(&entries, fingerprint(7)));
        entries.present(&newer, fingerprint(7));
        assert!(finds(&entries, fingerprint(7)));
    }

    #[test]
    fn what_is_presented_while_it_is_removed_is_not_left_in_the_table() {
        let entries = Entries::new(100, HOUR);
        let (start, end) = (Barrier::new(2), Barrier::new(2));
        let rounds: Vec<_> = (0..2000).map(|number| unseen(bits(number))).collect();
        let mut left = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                for session in &rounds {
                    start.wait();
                    entries.remove(session.id());
                    end.wait();
                }
            });
            for (number, session) in (0..).zip(&rounds) {
                entries.insert(session);
                start.wait();
                entries.present(session, fingerprint(number));
                end.wait();
                left += usize::from(finds(&entries, fingerprint(number)));
            }
        });
        // Not before: the other thread would wait for this one without end.
        assert_eq!(left, 0);
    }

    #[test]
    fn what_is_hit_is_kept() {
        let entries = Entries::new(100, HOUR);
        let hot = session(0);
        entries.insert(&hot);
        (1..100).for_each(|number| entries.insert(&session(number)));
        for number in 100..1000 {
            for _ in 0..10 * HITS_PER_SAMPLE {
                assert!(is_hit(&entries, &hot));
            }
            let other = session(number);
            entries.insert(&other);
            for _ in 0..5 {
                entries.get(other.id());
            }
            entries.moka.run_pending_tasks();
        }
        assert!(entries.get(hot.id()).is_some());
    }

    #[test]
    fn who_comes_last_is_kept_by_a_full_cache() {
        let entries = Entries::new(100, HOUR);
        for number in 0..1000 {
            let session = session(number);
            entries.insert(&session);
            for _ in 0..5 {
                entries.get(session.id());
            }
            entries.sweep();
            assert!(entries.get(session.id()).is_some(), "{number}");
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
        let in_table = (0..50).filter(|number| is_hit(&entries, &session(*number)));
        assert_eq!(in_table.count(), 0);
        assert!(is_hit(&entries, &session(50)));
    }

    #[test]
    fn what_the_table_has_no_room_for_is_an_entry_still() {
        let entries = Entries::new(1000, HOUR);
        let sessions: Vec<_> = (0..1000).map(session).collect();
        sessions.iter().for_each(|session| entries.insert(session));
        entries.table.remove(&sessions[7]);
        assert!(!is_hit(&entries, &sessions[7]));
        let entry = entries.get(sessions[7].id()).unwrap();
        entries.present(&entry, fingerprint(7));
        assert!(is_hit(&entries, &sessions[7]));
        entries.remove(sessions[7].id());
        assert!(entries.get(sessions[7].id()).is_none());
    }

    #[test]
    fn sessions_with_one_key_are_never_taken_for_each_other() {
        let entries = Entries::new(100, HOUR);
        let (one, other) = (session_of(1 << 64 | 7), session_of(2 << 64 | 7));
        assert_eq!(key(one.id()), key(other.id()));
        entries.insert(&one);
        assert!(entries.get(other.id()).is_none());
        assert!(is_hit(&entries, &one) && !is_hit(&entries, &other));

        entries.insert(&other);
        entries.sweep();
        assert!(entries.get(one.id()).is_none());
        assert!(!is_hit(&entries, &one), "nothing would take it out");
        assert!(entries.get(other.id()).is_some());
        entries.present(&one, Fingerprint::from_bits(1 << 64 | 7));
        assert!(!is_hit(&entries, &one) && is_hit(&entries, &other));
    }
}
