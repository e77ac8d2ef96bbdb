use super::structure::Record;
use super::value::{key, value};
use crate::eviction::{CAPACITY, Cache, Confirmations};

/// A structure as the only cache in the traffic of the part `eviction`: it hears of each use.
pub(super) struct Evicting<R> {
    confirmations: Confirmations,
    record: R,
}

impl<R: Record> Evicting<R> {
    pub(super) fn new(fresh_for: u64) -> Self {
        Self {
            confirmations: Confirmations::new(fresh_for),
            record: R::with_capacity(CAPACITY as usize),
        }
    }
}

impl<R: Record> Cache for Evicting<R> {
    async fn login(&mut self, session: usize, now: u64) {
        self.confirmations.confirm(session, now);
        self.record.insert(value(session), seconds(now));
    }

    async fn request(&mut self, session: usize, now: u64) -> bool {
        let is_held = self.record.get(&key(session), seconds(now)).is_some();
        let is_due = self.confirmations.request(session, is_held, now);
        if is_due {
            self.record.insert(value(session), seconds(now));
        }
        is_due
    }
}

fn seconds(millis: u64) -> u32 {
    (millis / 1000) as u32
}
