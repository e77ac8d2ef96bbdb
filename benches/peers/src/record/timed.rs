use std::hint::black_box;
use std::time::Instant;

use super::structure::Record;
use super::value::{Key, key, value};
use crate::draw::Draw;
use crate::stopwatch::{BATCH, Spent, Timed};

/// A structure under gets of what was put into it.
pub(super) struct Gets<R> {
    record: R,
    /// So many of its entries are looked for.
    visited: usize,
    draw: Draw,
    started: Instant,
}

impl<R> Gets<R> {
    pub(super) fn new(record: R, visited: usize) -> Self {
        Self {
            record,
            visited,
            draw: Draw::new(1),
            started: Instant::now(),
        }
    }
}

impl<R: Record> Timed for Gets<R> {
    fn batch(&mut self) -> Spent {
        let keys: [Key; BATCH] = std::array::from_fn(|_| key(self.draw.below(self.visited)));
        let now = seconds_since(self.started);
        let start = Instant::now();
        for key in &keys {
            black_box(self.record.get(key, now));
        }
        Spent::on_batch(start.elapsed())
    }

    fn twin(&self, seed: u64) -> Box<dyn Timed> {
        Box::new(Self {
            record: self.record.clone(),
            draw: Draw::new(seed),
            ..*self
        })
    }

    #[cfg(test)]
    fn statuses(&self, _spoilt: bool) -> Vec<http::StatusCode> {
        Vec::new()
    }
}

/// A full structure under inserts of what is new.
pub(super) struct Inserts<R> {
    record: R,
    entries: usize,
    next: usize,
    started: Instant,
}

impl<R> Inserts<R> {
    pub(super) fn new(record: R, entries: usize) -> Self {
        Self {
            record,
            entries,
            next: entries,
            started: Instant::now(),
        }
    }
}

impl<R: Record> Timed for Inserts<R> {
    fn batch(&mut self) -> Spent {
        let new = self.next..self.next + BATCH;
        self.next = new.end;
        let values: Vec<_> = new.clone().map(value).collect();
        let now = seconds_since(self.started);
        let start = Instant::now();
        for value in values {
            self.record.insert(value, now);
        }
        let spent = Spent::on_batch(start.elapsed());
        for oldest in new.map(|number| number - self.entries) {
            self.record.make_room(&key(oldest));
        }
        spent
    }

    /// Its numbers are nobody else's.
    fn twin(&self, seed: u64) -> Box<dyn Timed> {
        Box::new(Self {
            record: self.record.clone(),
            next: (seed as usize) << 32,
            ..*self
        })
    }

    #[cfg(test)]
    fn statuses(&self, _spoilt: bool) -> Vec<http::StatusCode> {
        Vec::new()
    }
}

fn seconds_since(start: Instant) -> u32 {
    start.elapsed().as_secs() as u32
}
