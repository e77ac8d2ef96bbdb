//! What a cache of bounded size costs the store, by what it gives up when it is full: counted on a
//! clock of its own, not measured.

use std::collections::BTreeMap;

use tokio::runtime::Builder;

use self::cache::{Ideal, Layered, Ours, Policy, Unlimited};
use self::traffic::{Event, Traffic, Workload};
use crate::Outcome;

mod cache;
mod counted;
mod traffic;

/// Sessions that fit in.
const CAPACITY: u64 = 1000;

const LEGEND: &str = "\
Sessions come in bursts: 10 requests, 6 s apart on average, 4 times on average with 20 minutes in between; a
cache of 1000; what is confirmed is good for 30 s. Loads for 1000 requests, beyond those of a cache without
bound; in brackets: new logins of 100 that the store is asked about within their first burst because of it.

ideal: the least recently used one goes, and the cache hears of each use.
LRU, TinyLFU: moka's, behind a hit table, told of each load and of one hit in 128.
ours: the crate itself.

traffic                               requests  without bound │       ideal         LRU     TinyLFU        ours";

fn workloads() -> [(&'static str, Workload); 7] {
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
trait Cache {
    async fn login(&mut self, session: usize, now: u64);
    /// Whether the store was asked, or is to be asked meanwhile.
    async fn request(&mut self, session: usize, now: u64) -> bool;
}

/// Plays the traffic; which requests had the store asked.
async fn play(workload: &Workload, mut cache: impl Cache) -> Vec<(Event, bool)> {
    let mut played = Vec::new();
    for event in Traffic::new(workload) {
        match event {
            Event::Login { session, at, .. } => cache.login(session, at).await,
            Event::Request { session, at, .. } => {
                played.push((event, cache.request(session, at).await));
            }
        }
    }
    played
}

/// What came of the requests that count, beyond what came of them `without_bound`.
fn beyond(without_bound: &[(Event, bool)], played: &[(Event, bool)]) -> (f64, f64) {
    let counted = || {
        without_bound
            .iter()
            .zip(played)
            .filter(|((event, _), _)| event.counts())
    };
    let loads = |asked: fn(&(Event, bool), &(Event, bool)) -> bool| {
        counted()
            .filter(|(without, with)| asked(without, with))
            .count()
    };
    let more = loads(|_, with| with.1) as f64 - loads(|without, _| without.1) as f64;
    let mut newcomers = BTreeMap::new();
    for ((event, without), (_, with)) in counted() {
        if let Event::Request {
            session, burst: 0, ..
        } = event
        {
            *newcomers.entry(*session).or_insert(0) += i32::from(*with) - i32::from(*without);
        }
    }
    let asked = newcomers.values().filter(|more| **more > 0).count();
    let requests = counted().count() as f64;
    (
        1000.0 * more / requests,
        100.0 * asked as f64 / newcomers.len().max(1) as f64,
    )
}

pub(crate) fn run() -> Outcome {
    // Of one thread: what is due in the background happens when the cache lets it.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    println!("{LEGEND}");
    for (name, workload) in workloads() {
        let fresh_for = workload.fresh_for;
        let without_bound = runtime.block_on(play(&workload, Unlimited::new(fresh_for)));
        let layered = |policy| Layered::new(policy, fresh_for);
        let columns = [
            runtime.block_on(play(&workload, Ideal::new(fresh_for))),
            runtime.block_on(play(&workload, layered(Policy::lru()))),
            runtime.block_on(play(&workload, layered(Policy::tiny_lfu()))),
            runtime.block_on(play(&workload, Ours::new(fresh_for))),
        ];
        let columns = columns.map(|played| {
            let (loads, newcomers) = beyond(&without_bound, &played);
            format!("{loads:5.1} ({newcomers:2.0})")
        });
        let requests = without_bound.iter().filter(|(event, _)| event.counts());
        let asked = requests.clone().filter(|(_, asked)| *asked).count();
        let requests = requests.count();
        println!(
            "{name:<40} {requests:>7} {:>10.0} │ {:>11} {:>11} {:>11} {:>11}",
            1000.0 * asked as f64 / requests as f64,
            columns[0],
            columns[1],
            columns[2],
            columns[3],
        );
    }
    println!();
    Ok(())
}
