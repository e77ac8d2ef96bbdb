use std::collections::{HashSet, VecDeque};
use std::mem;

use crate::sync::Lock;

/// Names that are kept for the next announcement: a change that is older than so many others is
/// found out when nodes confirm the session.
const MOST: usize = 4096;

/// Sessions that have changed, or may have, without an announcement: it failed, or whoever was to
/// make it was dropped before. They go out with the next one, so that an order that is repeated until
/// it is done is announced by then.
#[derive(Default)]
pub(crate) struct Unannounced(Lock<Queue>);

#[derive(Default)]
struct Queue {
    /// How many were ever put in.
    end: u64,
    /// Each once, with its number among those that were put in.
    names: VecDeque<(u64, Vec<u8>)>,
}

impl Queue {
    /// A name that is in there moves to the end, so that an order that fails again and again takes no
    /// room from the others. It gets a new number: whoever announces it just now may do so before
    /// this change.
    fn put(&mut self, names: Vec<Vec<u8>>) {
        let again: HashSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
        self.names.retain(|(_, name)| !again.contains(&**name));
        let numbered = (self.end..).zip(names);
        self.names.extend(numbered);
        self.end = self.names.back().map_or(self.end, |(last, _)| last + 1);
        let excess = self.names.len().saturating_sub(MOST);
        self.names.drain(..excess);
    }

    fn take_until(&mut self, end: u64) {
        let taken = self.names.partition_point(|(number, _)| *number < end);
        self.names.drain(..taken);
    }
}

/// Changes that are not announced yet; dropped, they are kept for the next announcement.
pub(crate) struct Changes<'a> {
    to: &'a Unannounced,
    names: Vec<Vec<u8>>,
}

impl Unannounced {
    /// What may be changed from now on.
    pub(crate) fn changes(&self, names: impl Iterator<Item = Vec<u8>>) -> Changes<'_> {
        let names = names.collect();
        Changes { to: self, names }
    }

    fn keep(&self, names: Vec<Vec<u8>>) {
        self.0.lock().put(names);
    }
}

impl Changes<'_> {
    /// What has changed, now that it is known.
    pub(crate) fn are(&mut self, names: Vec<Vec<u8>>) {
        self.names = names;
    }

    /// All that is to be announced now, and what the queue's end is then.
    ///
    /// The queue keeps its part until it is announced: two that announce at the same time both
    /// announce it, and neither relies on the other.
    pub(crate) fn with_earlier(&self) -> (Vec<Vec<u8>>, u64) {
        let queue = self.to.0.lock();
        let earlier = queue.names.iter().map(|(_, name)| name);
        let all = earlier.chain(&self.names).cloned();
        (all.collect(), queue.end)
    }

    /// They are announced, and the queue up to this end.
    pub(crate) fn announced(mut self, end: u64) {
        self.to.0.lock().take_until(end);
        self.names.clear();
    }
}

impl Drop for Changes<'_> {
    fn drop(&mut self) {
        if !self.names.is_empty() {
            self.to.keep(mem::take(&mut self.names));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    fn fails(unannounced: &Unannounced, changed: &[&str]) {
        drop(unannounced.changes(names(changed).into_iter()));
    }

    #[test]
    fn what_was_not_announced_goes_out_with_the_next() {
        let unannounced = Unannounced::default();
        fails(&unannounced, &["a", "b"]);
        let mut next = unannounced.changes(names(&["c", "d"]).into_iter());
        next.are(names(&["c"]));
        let (all, end) = next.with_earlier();
        assert_eq!(all, names(&["a", "b", "c"]));
        fails(&unannounced, &["e"]);
        next.announced(end);
        let rest = unannounced.changes([].into_iter());
        assert_eq!(rest.with_earlier().0, names(&["e"]));
    }

    #[test]
    fn two_at_the_same_time_announce_what_neither_has_yet() {
        let unannounced = Unannounced::default();
        fails(&unannounced, &["a"]);
        let [one, other] = [(); 2].map(|()| unannounced.changes([].into_iter()));
        let (_, end) = one.with_earlier();
        let (all, other_end) = other.with_earlier();
        assert_eq!(all, names(&["a"]));
        one.announced(end);
        fails(&unannounced, &["b"]);
        other.announced(other_end);
        let rest = unannounced.changes([].into_iter());
        assert_eq!(rest.with_earlier().0, names(&["b"]));
    }

    #[test]
    fn what_fails_again_and_again_takes_no_room_from_the_rest() {
        let unannounced = Unannounced::default();
        fails(&unannounced, &["a"]);
        for _ in 0..MOST {
            fails(&unannounced, &["b"]);
        }
        let next = unannounced.changes([].into_iter());
        let (all, end) = next.with_earlier();
        assert_eq!(all, names(&["a", "b"]));
        // It changes once more, perhaps after the announcement that is under way.
        fails(&unannounced, &["a"]);
        next.announced(end);
        let rest = unannounced.changes([].into_iter());
        assert_eq!(rest.with_earlier().0, names(&["a"]));
    }

    #[test]
    fn only_the_newest_are_kept() {
        let unannounced = Unannounced::default();
        for number in 0..MOST + 2 {
            fails(&unannounced, &[&number.to_string()]);
        }
        let (all, _) = unannounced.changes([].into_iter()).with_earlier();
        assert_eq!((all.len(), &all[0][..]), (MOST, &b"2"[..]));
    }
}
