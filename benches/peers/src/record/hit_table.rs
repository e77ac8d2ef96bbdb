use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use tower_wx_session::sessions::Issued;
use tower_wx_session::test_util::HitSteps;

use crate::contender::ours;
use crate::draw::Draw;
use crate::forgetful::Forgetful;
use crate::runtime::runtime;
use crate::stopwatch::{BATCH, Spent, Timed};
use crate::user::identity;

/// The table that answers hits, with moka behind it, under gets by fingerprints that were made before. What is
/// put into it goes through a node.
pub(super) struct HitTable {
    steps: Arc<HitSteps<Forgetful>>,
    keys: Arc<[Key]>,
    /// So many of its sessions are looked for.
    visited: usize,
    draw: Draw,
}

#[derive(Clone, Copy)]
struct Key {
    fingerprint: u128,
    bucket: [u8; 2],
}

impl HitTable {
    pub(super) fn filled(entries: usize, visited: usize) -> Self {
        let sessions = ours::sessions(Forgetful::default(), entries);
        let steps = Arc::new(HitSteps::new(sessions.clone()));
        let keys = runtime().block_on(async {
            let mut issued = Vec::with_capacity(entries);
            for user in (0..entries).map(identity) {
                issued.push(sessions.issue(user).await.expect("the store takes all"));
            }
            let mut keys = Vec::with_capacity(entries);
            for token in issued.iter().map(Issued::token) {
                let text = token.expose();
                // A table that has grown since looks for it elsewhere, until its next use.
                sessions.check(text).await.expect("it is live");
                let fingerprint = steps.fingerprint(text.as_bytes());
                keys.push(Key {
                    fingerprint: fingerprint.expect("it is a token"),
                    bucket: token.id().bucket(),
                });
            }
            keys
        });
        Self {
            steps,
            keys: Arc::from(keys),
            visited,
            draw: Draw::new(1),
        }
    }

    fn finds(&self, key: Key) -> bool {
        let found = self.steps.probe(key.fingerprint, key.bucket);
        black_box(found.map(|session| session.id())).is_some()
    }
}

impl Timed for HitTable {
    fn batch(&mut self) -> Spent {
        let keys: [Key; BATCH] = std::array::from_fn(|_| self.keys[self.draw.below(self.visited)]);
        let start = Instant::now();
        for key in keys {
            black_box(self.finds(key));
        }
        Spent::on_batch(start.elapsed())
    }

    fn twin(&self, seed: u64) -> Box<dyn Timed> {
        Box::new(Self {
            steps: Arc::clone(&self.steps),
            keys: Arc::clone(&self.keys),
            draw: Draw::new(seed),
            ..*self
        })
    }

    #[cfg(test)]
    fn statuses(&self, _spoilt: bool) -> Vec<http::StatusCode> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_is_in_it_and_nothing_else() {
        let table = HitTable::filled(10_000, 10_000);
        let found = table.keys.iter().filter(|key| table.finds(**key)).count();
        // Of 340 one finds no place when it is full.
        assert!(found > 9_900, "{found}");
        let [known, ..] = *table.keys else {
            panic!("it is filled");
        };
        let unknown = Key {
            fingerprint: !known.fingerprint,
            ..known
        };
        assert!(!table.finds(unknown));
    }
}
