//! What a new session costs the store in its first seconds, once the cache has been full.

use super::cache::{Layered, Ours, Policy};
use super::{CAPACITY, Cache};
use crate::text_table::TextTable;

/// Used before the newcomers come: as many again as fit in.
const BEFORE: usize = 2 * CAPACITY as usize;
const USES_BEFORE: usize = 5;

const NEWCOMERS: usize = CAPACITY as usize / 2;
const REQUESTS: usize = 10;
/// Between two requests of a session; so they all come before it has to be confirmed.
const GAP: u64 = 2_000;
const FRESH_FOR: u64 = 30_000;

/// Reads for a new session in its first ten requests.
const TARGET: f64 = 0.0;

pub(super) async fn table() -> TextTable {
    let mut table = TextTable::new(["store reads for a new session", "reads", "target", ""]);
    let layered = |policy| Layered::new(policy, FRESH_FOR);
    let ours = reads_for_each(Ours::new(FRESH_FOR)).await;
    let figures = [
        (
            "moka's TinyLFU",
            reads_for_each(layered(Policy::tiny_lfu())).await,
            None,
        ),
        (
            "moka's LRU",
            reads_for_each(layered(Policy::lru())).await,
            None,
        ),
        ("ours", ours, Some(TARGET)),
    ];
    for (name, reads, target) in figures {
        let verdict = target.map_or("", |target| match reads <= target {
            true => "reached",
            false => "missed",
        });
        table.row([
            name.to_owned(),
            format!("{reads:.2}"),
            target
                .map(|target| format!("{target:.0}"))
                .unwrap_or_default(),
            verdict.to_owned(),
        ]);
    }
    table
}

async fn reads_for_each(mut cache: impl Cache) -> f64 {
    for session in 0..BEFORE {
        cache.login(session, 0).await;
        for _ in 0..USES_BEFORE {
            cache.request(session, 0).await;
        }
    }
    let newcomers = BEFORE..BEFORE + NEWCOMERS;
    for session in newcomers.clone() {
        cache.login(session, 0).await;
    }
    let mut reads = 0;
    for now in (1..=REQUESTS as u64).map(|request| request * GAP) {
        for session in newcomers.clone() {
            reads += usize::from(cache.request(session, now).await);
        }
    }
    reads as f64 / NEWCOMERS as f64
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_new_session_needs_the_store_only_where_the_cache_turns_it_away() {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            assert_eq!(reads_for_each(Ours::new(FRESH_FOR)).await, 0.0);
            let turned_away = Layered::new(Policy::tiny_lfu(), FRESH_FOR);
            assert!(reads_for_each(turned_away).await > 1.0);
        });
    }
}
