use std::collections::BTreeMap;

use crate::time::Timestamp;

/// What is due, in the order of time.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    /// The counter tells apart things due at the same instant.
    due: BTreeMap<(Timestamp, u64), T>,
    added: u64,
}

/// Names one thing on an [`Agenda`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(Timestamp, u64);

impl<T> Agenda<T> {
    pub(super) fn add(&mut self, at: Timestamp, thing: T) -> Entry {
        self.added += 1;
        self.due.insert((at, self.added), thing);
        Entry(at, self.added)
    }

    pub(super) fn cancel(&mut self, Entry(at, number): Entry) {
        self.due.remove(&(at, number));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Takes one thing whose time has come.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<T> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            added: 0,
        }
    }
}
