//! What a cache of bounded size costs the store, by what it gives up when it is full: counted on a
//! clock of its own, not measured.

use tokio::runtime::Builder;

use self::cache::{Layered, Policy};
use crate::Outcome;

mod cache;
mod counted;
mod newcomers;
mod play;
mod traffic;

pub(crate) use self::cache::{Confirmations, Ideal, Ours};
pub(crate) use self::play::{Extra, Play};
pub(crate) use self::traffic::Workload;

/// Sessions that fit in.
pub(crate) const CAPACITY: u64 = 1000;

const LEGEND: &str = "\
Sessions come in bursts: 10 requests, 6 s apart on average, 4 times on average with 20 minutes in between; a
cache of 1000; what is confirmed is good for 30 s. Loads for 1000 requests, beyond those of a cache without
bound; in brackets: new logins of 100 that the store is asked about within their first burst because of it.

ideal: the least recently used one goes, and the cache hears of each use.
LRU, TinyLFU: moka's, behind a hit table, told of each load and of one hit in 128.
ours: the crate itself.

traffic                               requests  without bound │       ideal         LRU     TinyLFU        ours";

pub(crate) fn workloads() -> [(&'static str, Workload); 7] {
    let active = |share| Workload {
        active: share * CAPACITY as f64,
        ..Workload::default()
    };
    [
        ("in use: 0.2 × the capacity", active(0.2)),
        ("0.5 ×", active(0.5)),
        ("1 ×", active(1.0)),
        ("2 ×", active(2.0)),
        (
            "0.5 ×, full of dead sessions",
            Workload {
                dead: CAPACITY as usize,
                ..active(0.5)
            },
        ),
        (
            "0.5 ×, two minutes of 50 logins a second",
            Workload {
                flood: 50.0,
                ..active(0.5)
            },
        ),
        (
            "0.5 ×, good for 10 minutes",
            Workload {
                fresh_for: 600_000,
                ..active(0.5)
            },
        ),
    ]
}

/// A cache in front of a store that is always asked about the same sessions.
pub(crate) trait Cache {
    async fn login(&mut self, session: usize, now: u64);
    /// Whether the store was asked, or is to be asked meanwhile.
    async fn request(&mut self, session: usize, now: u64) -> bool;
}

pub(crate) fn run() -> Outcome {
    // Of one thread: what is due in the background happens when the cache lets it.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    println!("{LEGEND}");
    for (name, workload) in workloads() {
        let fresh_for = workload.fresh_for;
        let play = runtime.block_on(Play::new(&workload));
        let layered = |policy| Layered::new(policy, fresh_for);
        let columns = [
            runtime.block_on(play.with(Ideal::new(fresh_for))),
            runtime.block_on(play.with(layered(Policy::lru()))),
            runtime.block_on(play.with(layered(Policy::tiny_lfu()))),
            runtime.block_on(play.with(Ours::new(fresh_for))),
        ];
        let [ideal, lru, tiny_lfu, ours] = columns.map(|extra: Extra| extra.to_string());
        let (requests, loads) = (play.requests(), play.loads_for_1000());
        println!(
            "{name:<40} {requests:>7} {loads:>10.0} │ {ideal:>11} {lru:>11} {tiny_lfu:>11} {ours:>11}"
        );
    }
    println!("\n{}", runtime.block_on(newcomers::table()));
    Ok(())
}
