use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cache::{Answer, Gone};
use crate::store::StoreError;

/// Tokens with keys that nobody knows are looked up in the store at most once in this time.
const LOOKED_UP_EVERY: Duration = Duration::from_secs(1);

/// Keys that the store does not have, by the tokens that name them: forged, or made with a key that
/// was lost.
///
/// One such token a second is looked up, and what is found stands for all that name the same key. A
/// session that is found, live or ended, is proof that its key was lost: from then on each token
/// that names it is looked up. Nothing but a genuine token leads there.
///
/// Where the one that was looked up was never seen, the others get 401 without being looked up:
/// after a loss of everything all clients hold such tokens, and must not wait.
pub(super) struct UnknownKeys(Mutex<Seen>);

struct Seen {
    looked_up_at: Option<Instant>,
    keys: [Key; 256],
}

/// What was found for the tokens that name a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Untried,
    /// No session when last looked up.
    Unused,
    Lost,
}

impl Default for UnknownKeys {
    fn default() -> Self {
        Self(Mutex::new(Seen {
            looked_up_at: None,
            keys: [Key::Untried; 256],
        }))
    }
}

impl UnknownKeys {
    /// Whether somebody is looking one up.
    pub(super) fn is_looking_up(&self) -> bool {
        self.0.try_lock().is_err()
    }

    /// Looks up a token that names a key, if it is its turn; else gives what others have found,
    /// provided that the keys were `fetched`.
    ///
    /// All wait while one is looked up, because its answer may be theirs.
    pub(super) async fn look_up<F: Future<Output = Answer>>(
        &self,
        key: u8,
        fetched: Result<(), StoreError>,
        load: impl FnOnce() -> F,
    ) -> Answer {
        let mut seen = self.0.lock().await;
        let key = usize::from(key);
        if seen.keys[key] == Key::Lost {
            drop(seen);
            return load().await;
        }
        if seen.takes_turn() {
            let answer = load().await;
            seen.note(key, &answer);
            return answer;
        }
        match (seen.keys[key], fetched) {
            (_, Err(error)) => Answer::Failed(error),
            (Key::Unused, Ok(())) => Answer::Gone(Gone::NeverSeen),
            (Key::Untried | Key::Lost, Ok(())) => Answer::Failed(not_read()),
        }
    }
}

impl Seen {
    fn takes_turn(&mut self) -> bool {
        let is_due = self
            .looked_up_at
            .is_none_or(|at| at.elapsed() >= LOOKED_UP_EVERY);
        if is_due {
            self.looked_up_at = Some(Instant::now());
        }
        is_due
    }

    fn note(&mut self, key: usize, answer: &Answer) {
        match answer {
            Answer::Live(_) | Answer::Gone(Gone::Ended(_)) => self.keys[key] = Key::Lost,
            Answer::Gone(Gone::NeverSeen) => self.keys[key] = Key::Unused,
            Answer::Failed(_) => {}
        }
    }
}

/// Whether its session lives can be known only later.
fn not_read() -> StoreError {
    StoreError::unavailable("its key is not known, and another such token is looked up")
}
