use std::hint::black_box;
use std::time::Instant;

use super::structure::{Key, Structure};
use crate::draw::Draw;
use crate::stopwatch::{BATCH, Spent, Timed};

/// A structure under lookups of the entries that are in it.
pub(super) struct Lookups<S> {
    structure: S,
    entries: usize,
    draw: Draw,
}

impl<S: Structure> Lookups<S> {
    pub(super) const fn new(structure: S, entries: usize) -> Self {
        let draw = Draw::new(1);
        Self {
            structure,
            entries,
            draw,
        }
    }

    fn keys(&mut self) -> [Key; BATCH] {
        std::array::from_fn(|_| self.structure.key(self.draw.below(self.entries)))
    }
}

impl<S: Structure> Timed for Lookups<S> {
    fn batch(&mut self) -> Spent {
        let keys = self.keys();
        let start = Instant::now();
        for key in &keys {
            black_box(self.structure.finds(key));
        }
        Spent::on_batch(start.elapsed())
    }

    fn twin(&self, seed: u64) -> Box<dyn Timed> {
        Box::new(Self {
            structure: self.structure.clone(),
            draw: Draw::new(seed),
            ..*self
        })
    }

    #[cfg(test)]
    fn statuses(&self, _spoilt: bool) -> Vec<http::StatusCode> {
        Vec::new()
    }
}
