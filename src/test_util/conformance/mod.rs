//! The suite that every [`SessionStore`](crate::store::SessionStore) has to pass.
//!
//! A store is the only source of truth about sessions, so its mistakes log users out or let
//! revoked ones in. The suite asks a store everything that the trait promises: what a session's
//! end is and why, that a touch never revives, that caps and rotations are exact under races, and
//! that nodes are told of what changed.
//!
//! 1. Each check makes users of its own with random names, so that the suite can run on a shared
//!    database, again and again. What stays there are a few tag keys, and sessions that expire
//!    within the hour.
//! 2. Spans of time are counted in [ticks](Fixture::tick): a few dozen per check.
//! 3. On a runtime with several threads the races are real; on one thread they are only shuffled.
//! 4. All checks run, then [`run`] panics with the names of the rules that are broken.
//!
//! ```
//! use std::time::Duration;
//! use tower_wx_session::store::MemoryStore;
//! use tower_wx_session::test_util::ManualClock;
//! use tower_wx_session::test_util::conformance::{self, Fixture};
//!
//! struct InMemory {
//!     store: MemoryStore,
//!     clock: ManualClock,
//! }
//!
//! impl Fixture for InMemory {
//!     type Store = MemoryStore;
//!
//!     fn store(&self) -> MemoryStore {
//!         self.store.clone()
//!     }
//!
//!     fn tick(&self) -> Duration {
//!         Duration::from_millis(1)
//!     }
//!
//!     async fn advance(&self, span: Duration) {
//!         self.clock.advance(span);
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! let clock = ManualClock::new();
//! let store = MemoryStore::with_clock(clock.clone());
//! conformance::run(&InMemory { store, clock }).await;
//! # }
//! ```
//!
//! A remote store has a time of its own: its `advance` sleeps, its `tick` is longer than it ever
//! takes to answer (100 ms, say), and its [`time_flies`](Fixture::time_flies) is true.

use std::future::poll_fn;
use std::task::Poll;

mod concurrency;
mod expiry;
mod feed;
mod fixture;
mod fresh;
mod insert;
mod races;
mod retire;
mod revoke;
mod rotate;
mod rules;
mod session_keys;
mod suite;
mod tag_keys;
mod touch;
mod users;
mod violation;

pub use self::fixture::Fixture;
use self::rules::{Check, exclusive_rules, rules};
use self::suite::Suite;
use self::violation::Outcome;

/// Checks that a store keeps every rule.
///
/// # Panics
///
/// If it does not: the message has a line for each broken rule, with its name.
pub async fn run<F: Fixture>(fixture: &F) {
    let suite = &Suite::new(fixture);
    let mut broken = Vec::new();
    if fixture.time_flies() {
        side_by_side(rules(suite), &mut broken).await;
    } else {
        in_turn(rules(suite), &mut broken).await;
    }
    in_turn(exclusive_rules(suite), &mut broken).await;
    report(&broken);
}

#[allow(clippy::panic, reason = "a test tool: a panic is how it fails a test")]
fn report(broken: &[String]) {
    if !broken.is_empty() {
        let (rules, list) = (broken.len(), broken.join("\n"));
        panic!("the store breaks {rules} rules of `SessionStore`:\n{list}");
    }
}

async fn in_turn(checks: Vec<Check<'_>>, broken: &mut Vec<String>) {
    for (rule, check) in checks {
        note(broken, rule, check.await);
    }
}

async fn side_by_side(mut checks: Vec<Check<'_>>, broken: &mut Vec<String>) {
    poll_fn(|context| {
        checks.retain_mut(|(rule, check)| match check.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(outcome) => {
                note(broken, rule, outcome);
                false
            }
        });
        if checks.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn note(broken: &mut Vec<String>, rule: &str, outcome: Outcome) {
    if let Err(violation) = outcome {
        broken.push(format!("{rule}: {violation}"));
    }
}
