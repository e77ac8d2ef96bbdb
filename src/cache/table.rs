use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;

use crate::session::{Known, Session};
use crate::token::Fingerprint;

/// Sessions that may be in each other's way: as many slots as fit into a line of the processor's
/// cache.
const WAYS: usize = 6;
/// Sessions for each set of slots, when as many are held as there are sets for: one of 340 finds no
/// place then (Poisson). It is one of 10 000 when there are half as many.
const SESSIONS_PER_SET: u64 = 2;
/// The most sets: 64 bytes each, 1 GiB in all.
const MAX_SETS: u64 = 1 << 24;

/// Sets in use at first: 64 KiB.
const FEWEST_SETS: usize = 1 << 10;
/// Sets looked through at a time after the table has grown.
const SWEPT_AT_ONCE: usize = 8;

/// Answers hits without a lock and without a queue: sessions by the fingerprints of their tokens, in
/// a table of fixed size.
///
/// It forgets whatever is in the way of something newer, and what it answers may be out of date,
/// as with any cache: the number of its read says so.
///
/// No more of it is in use than what was held needed, because memory that is close together is fast.
// A slot is a pointer and a hint of 16 bits: written one after the other, the session first, and read
// without a lock in the other order. So a reader may find the hint of one session and the pointer to
// another: it compares the whole fingerprint before it believes the pointer. The other way round it misses
// a session that has just come, which moka has. The hint is stored with Release and read with Acquire,
// so that whoever sees a hint sees the session that it was written for, or a later one.
pub(super) struct Table {
    /// A power of two.
    sets: Box<[Set]>,
    /// The sets in use, the first ones: a power of two.
    in_use: AtomicUsize,
    /// How many of those that were in use before have been rid of what belongs elsewhere by now.
    swept: AtomicUsize,
}

#[derive(Default)]
#[repr(align(64))]
struct Set {
    /// A part of each session's fingerprint: says whether it is worth a look.
    hints: [AtomicU16; WAYS],
    sessions: [ArcSwapOption<Known>; WAYS],
}

impl Table {
    /// For a cache of so many sessions.
    pub(super) fn new(capacity: u64) -> Self {
        let sets = capacity / SESSIONS_PER_SET;
        let sets = sets.clamp(1, MAX_SETS).next_power_of_two();
        let sets: Box<[Set]> = (0..sets).map(|_| Set::default()).collect();
        Self {
            in_use: AtomicUsize::new(sets.len().min(FEWEST_SETS)),
            swept: AtomicUsize::new(usize::MAX),
            sets,
        }
    }

    /// Takes more sets into use where so many sessions are held, if there are more. Does a part of the
    /// cleaning up that this takes.
    pub(super) fn make_room(&self, held: u64) {
        let in_use = self.in_use.load(Ordering::Acquire);
        let is_full = in_use < self.sets.len() && held > SESSIONS_PER_SET * in_use as u64;
        if self.sweep(in_use) && is_full {
            // One of those who come at the same time. Until `swept` is set back the table passes for
            // swept: at worst it grows once more, and that sweep finds what lies in a wrong set.
            let grown = (self.in_use).compare_exchange(
                in_use,
                2 * in_use,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if grown.is_ok() {
                self.swept.store(0, Ordering::Release);
            }
        }
    }

    /// Forgets some of what is not found any more since the table has grown; `true` if there is no
    /// more of it. The next use puts it where it belongs.
    fn sweep(&self, in_use: usize) -> bool {
        let end = in_use / 2;
        if self.swept.load(Ordering::Acquire) >= end {
            return true;
        }
        // Each set is swept by one; what it finds is compared before it is taken out, because a
        // newer answer may have come in between.
        let first = self.swept.fetch_add(SWEPT_AT_ONCE, Ordering::AcqRel);
        for set in first..end.min(first + SWEPT_AT_ONCE) {
            let belongs = |known: &Arc<Known>| {
                let fingerprint = known.fingerprint();
                fingerprint.is_some_and(|of_it| index(of_it, in_use) == set)
            };
            for session in &self.sets[set].sessions {
                let known = session.load();
                if !known.as_ref().is_none_or(belongs) {
                    session.compare_and_swap(&known, None);
                }
            }
        }
        false
    }

    /// The session, and what it is judged to be, unless that is nothing. It is judged before a handle is
    /// taken, because a processor reads nothing ahead past the change of a count: so it fetches all at
    /// once that is looked at.
    #[inline]
    pub(super) fn get<J>(
        &self,
        fingerprint: Fingerprint,
        judge: impl Fn(&Known) -> Option<J>,
    ) -> Option<(Session, J)> {
        let set = self.set_of(fingerprint);
        (0..WAYS).find_map(|slot| set.get(slot, fingerprint, &judge))
    }

    /// Puts a session in the place of an older answer about it, or in a free one, or in that of
    /// any other; unless its token was never seen.
    pub(super) fn put(&self, session: &Session) {
        let Some(fingerprint) = session.fingerprint() else {
            return;
        };
        let set = self.set_of(fingerprint);
        let is_same = |slot: &usize| set.get(*slot, fingerprint, |_| Some(())).is_some();
        let same = (0..WAYS).find(is_same);
        let free = || set.sessions.iter().position(|slot| slot.load().is_none());
        let slot = same.or_else(free).unwrap_or_else(|| any_number() % WAYS);
        set.sessions[slot].store(Some(Arc::clone(session.known())));
        set.hints[slot].store(fingerprint.hint(), Ordering::Release);
    }

    /// Forgets this very answer about a session, not a newer one.
    pub(super) fn remove(&self, session: &Session) {
        let Some(fingerprint) = session.fingerprint() else {
            return;
        };
        let is_meant = |known: &Arc<Known>| Arc::ptr_eq(known, session.known());
        // Whatever the hints say: they are written a moment later, and who removes because of a
        // revocation must not miss what was put just now.
        for slot in &self.set_of(fingerprint).sessions {
            let known = slot.load();
            if known.as_ref().is_some_and(is_meant) {
                slot.compare_and_swap(&known, None);
            }
        }
    }

    #[inline]
    fn set_of(&self, fingerprint: Fingerprint) -> &Set {
        let in_use = self.in_use.load(Ordering::Acquire);
        &self.sets[index(fingerprint, in_use)]
    }
}

/// Which of so many sets a session belongs into.
#[inline]
const fn index(fingerprint: Fingerprint, sets: usize) -> usize {
    fingerprint.low() as usize & (sets - 1)
}

impl Set {
    #[inline]
    fn get<J>(
        &self,
        slot: usize,
        fingerprint: Fingerprint,
        judge: impl Fn(&Known) -> Option<J>,
    ) -> Option<(Session, J)> {
        if self.hints[slot].load(Ordering::Acquire) != fingerprint.hint() {
            return None;
        }
        let known = self.sessions[slot].load();
        let known = known.as_ref().filter(|known| known.has(fingerprint))?;
        let judged = judge(known)?;
        Some((Session::from(Arc::clone(known)), judged))
    }
}

/// A number that is random enough to choose by, and that no other thread has a part in.
#[inline]
pub(super) fn any_number() -> usize {
    thread_local!(static NUMBER: Cell<u32> = const { Cell::new(0x9e37_79b9) });
    let mut next = NUMBER.with(Cell::get);
    next ^= next << 13;
    next ^= next >> 17;
    next ^= next << 5;
    NUMBER.with(|number| number.set(next));
    next as usize
}

#[cfg(test)]
pub(super) mod tests {
    use std::hash::{Hash, Hasher};

    use super::*;
    use crate::identity::Identity;
    use crate::session::{Record, Stamp};
    use crate::time::Timestamp;
    use crate::token::SessionId;

    /// Sessions of one set differ in the hint and in the rest of the fingerprint.
    fn session(set: u8, hint: u8, rest: u8) -> Session {
        session_of(bits(set, hint, rest))
    }

    fn bits(set: u8, hint: u8, rest: u8) -> u128 {
        u128::from(rest) << 96 | u128::from(hint) << 32 | u128::from(set)
    }

    /// One whose token was seen.
    pub(in crate::cache) fn session_of(fingerprint: u128) -> Session {
        let session = unseen(fingerprint);
        session.was_presented(Fingerprint::from_bits(fingerprint));
        session
    }

    /// One that has the same id, and no fingerprint yet.
    pub(in crate::cache) fn unseen(fingerprint: u128) -> Session {
        let mut id = [0; 18];
        id[2..].copy_from_slice(&fingerprint.to_le_bytes());
        let long = std::time::Duration::from_secs(1000);
        let identity = Identity::new("appid", "openid");
        let record = Record::issued(identity, Timestamp::default(), long, long, None);
        Session::new(SessionId::from_bytes(id), record, Stamp::default())
    }

    fn find(table: &Table, bits: u128) -> Option<Session> {
        get(table, Fingerprint::from_bits(bits))
    }

    fn get(table: &Table, fingerprint: Fingerprint) -> Option<Session> {
        let found = table.get(fingerprint, |_| Some(()));
        found.map(|(session, ())| session)
    }

    fn holds(table: &Table, session: &Session) -> bool {
        let found = session.fingerprint().and_then(|of_it| get(table, of_it));
        found.is_some_and(|found| Arc::ptr_eq(found.known(), session.known()))
    }

    #[test]
    fn a_session_is_found_by_its_whole_fingerprint() {
        let table = Table::new(100);
        let sessions = [session(1, 2, 3), session(1, 2, 4), session(1, 3, 3)];
        assert!(!holds(&table, &sessions[0]));
        sessions.iter().for_each(|session| table.put(session));
        assert!(sessions.iter().all(|session| holds(&table, session)));
        assert!(find(&table, bits(1, 2, 5)).is_none());
        assert!(find(&table, bits(2, 2, 3)).is_none());
        table.remove(&sessions[2]);
        for bit in 0..128 {
            assert!(find(&table, bits(1, 2, 3) ^ 1 << bit).is_none(), "{bit}");
        }
    }

    #[test]
    fn a_session_is_found_as_what_it_is_judged_to_be_and_stays_if_that_is_nothing() {
        let table = Table::new(100);
        let session = session(1, 2, 3);
        table.put(&session);
        let fingerprint = session.fingerprint().unwrap();
        assert!(table.get(fingerprint, |_| None::<()>).is_none());
        let judged = table.get(fingerprint, |known| Some(known.id()));
        assert_eq!(judged.unwrap().1, session.id());
        assert!(holds(&table, &session));
    }

    #[test]
    fn a_session_without_a_fingerprint_is_in_no_place() {
        let table = Table::new(1);
        let session = unseen(1);
        table.put(&session);
        assert_eq!(Arc::strong_count(session.known()), 1);
        table.remove(&session);
        session.was_presented(Fingerprint::from_bits(1));
        assert!(!holds(&table, &session));
        table.put(&session);
        assert!(holds(&table, &session));
    }

    #[test]
    fn a_newer_answer_takes_the_place_of_an_older_one() {
        let table = Table::new(2);
        let (older, newer) = (session(1, 2, 3), session(1, 2, 3));
        let others: Vec<_> = (4..9).map(|rest| session(1, 2, rest)).collect();
        table.put(&older);
        others.iter().for_each(|other| table.put(other));
        table.put(&newer);
        assert!(holds(&table, &newer));
        assert!(others.iter().all(|other| holds(&table, other)));
        table.remove(&older);
        assert!(holds(&table, &newer));
        table.remove(&newer);
        assert!(!holds(&table, &newer));
        assert!(find(&table, bits(1, 2, 3)).is_none());
    }

    #[test]
    fn one_answer_about_a_session_is_forgotten_and_not_another() {
        // Two threads that put at the same time may take two slots.
        let table = Table::new(1);
        let (one, other) = (session(1, 2, 3), session(1, 2, 3));
        table.put(&one);
        let (fingerprint, set) = (one.fingerprint().unwrap(), &table.sets[0]);
        set.sessions[3].store(Some(Arc::clone(other.known())));
        set.hints[3].store(fingerprint.hint(), Ordering::Release);
        table.remove(&one);
        assert!(holds(&table, &other));
        table.remove(&other);
        assert!(get(&table, fingerprint).is_none());
    }

    #[test]
    fn a_full_set_makes_room_for_what_is_new() {
        let table = Table::new(1);
        let sessions: Vec<_> = (0..100).map(|rest| session(1, rest, rest)).collect();
        for session in &sessions {
            table.put(session);
            assert!(holds(&table, session));
        }
        let held = sessions.iter().filter(|session| holds(&table, session));
        assert_eq!(held.count(), WAYS);
    }

    #[test]
    fn no_more_is_in_use_than_what_is_held_needs() {
        let table = Table::new(100_000);
        let sessions: Vec<_> = (0..FEWEST_SETS as u32).map(numbered).collect();
        sessions.iter().for_each(|session| table.put(session));
        table.make_room(2 * FEWEST_SETS as u64);
        assert_eq!(table.in_use.load(Ordering::Relaxed), FEWEST_SETS);

        table.make_room(2 * FEWEST_SETS as u64 + 1);
        assert_eq!(table.in_use.load(Ordering::Relaxed), 2 * FEWEST_SETS);
        // What is not found any more is not kept either.
        let found = sessions.iter().filter(|session| holds(&table, session));
        let found = found.count();
        assert!(
            (FEWEST_SETS / 4..FEWEST_SETS * 3 / 4).contains(&found),
            "{found}"
        );
        while !table.sweep(2 * FEWEST_SETS) {}
        let kept = sessions
            .iter()
            .filter(|session| Arc::strong_count(session.known()) == 2);
        assert_eq!(kept.count(), found);
        sessions.iter().for_each(|session| table.put(session));
        assert!(
            sessions
                .iter()
                .filter(|session| holds(&table, session))
                .count()
                > found
        );

        (0..100_000).for_each(|_| table.make_room(u64::MAX));
        assert_eq!(table.in_use.load(Ordering::Relaxed), table.sets.len());
    }

    #[test]
    fn few_sessions_find_no_place_where_as_many_are_held_as_there_are_sets_for() {
        let table = Table::new(20_000);
        let sets = table.sets.len() as u32;
        let sessions: Vec<_> = (0..2 * sets).map(numbered).collect();
        (0..100_000).for_each(|_| table.make_room(u64::MAX));
        sessions.iter().for_each(|session| table.put(session));
        let lost = sessions.iter().filter(|session| !holds(&table, session));
        // Poisson: of two on average, what is beyond six.
        let (lost, expected) = (lost.count(), sessions.len() / 338);
        assert!((expected / 2..2 * expected).contains(&lost), "{lost}");
    }

    fn numbered(number: u32) -> Session {
        // As spread as a fingerprint is.
        let mut spread = std::hash::DefaultHasher::new();
        number.hash(&mut spread);
        session_of(u128::from(number) << 64 | u128::from(spread.finish()))
    }

    #[test]
    fn the_size_follows_the_capacity() {
        for (capacity, sets) in [(0, 1), (1, 1), (100, 64), (200_000, 131_072)] {
            assert_eq!(Table::new(capacity).sets.len(), sets);
        }
        assert_eq!(size_of::<Set>(), 64);
    }
}
