//! How the cost of a hit grows with the number of live sessions, from a thousand to a million.
//!
//! `cargo bench --all-features --bench scale`; with `-- ratios` the growth only.
#![allow(missing_docs, reason = "made by the macros of criterion")]

mod support;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use http::StatusCode;
use http::header::AUTHORIZATION;
use support::client::{log_in, node};
use support::forgetful::ForgetfulStore;
use support::request::presenting;
use support::rounds::{Spread, in_turns, print};
use support::service::{bare, bench, layered, nanoseconds};
use support::{is_measured, scaled};
use tokio::runtime::Runtime;
use tower_wx_session::Sessions;

const SIZES: [usize; 4] = [1000, 10_000, 100_000, 1_000_000];
/// The same for all sizes, so that only the number of sessions differs.
const CAPACITY: u64 = 1_500_000;
const ROUNDS: usize = 15;
/// Answers of each service in a round: enough to come around most of the cache.
const ANSWERS: usize = 100_000;

/// So many sessions on a node of their own.
struct Population {
    size: usize,
    sessions: Sessions<ForgetfulStore>,
    tokens: Vec<String>,
}

impl Population {
    async fn new(size: usize) -> Self {
        let sessions = node(ForgetfulStore::default(), CAPACITY);
        let tokens = log_in(&sessions, scaled(size)).await;
        Self {
            size,
            sessions,
            tokens,
        }
    }
}

fn scale(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let populations = SIZES.map(|size| runtime.block_on(Population::new(size)));
    let mut group = criterion.benchmark_group("scale");
    group.warm_up_time(Duration::from_secs(2));
    for Population {
        size,
        sessions,
        tokens,
    } in &populations
    {
        let requests = || presenting(AUTHORIZATION, tokens);
        let mut layered = layered(sessions);
        let row = |name: &str| format!("{name}/{size}");
        let ok = StatusCode::OK;
        bench(&mut group, &row("bare"), (&mut bare(), ok), requests());
        bench(&mut group, &row("layered"), (&mut layered, ok), requests());
    }
    group.finish();
    if is_measured() {
        print_growth(&populations);
    }
}

/// Prints what a hit adds to a request at each size, as a ratio to what it adds at the smallest.
fn print_growth(populations: &[Population]) {
    let mut bare = bare();
    let mut each: Vec<_> = populations
        .iter()
        .map(|population| {
            let requests = presenting(AUTHORIZATION, &population.tokens);
            (layered(&population.sessions), requests)
        })
        .collect();
    let rounds = in_turns(ROUNDS, populations.len(), |which| {
        let (layered, requests) = &mut each[which];
        let alone = nanoseconds(&mut bare, requests, ANSWERS);
        nanoseconds(layered, requests, ANSWERS) - alone
    });
    for (which, population) in populations.iter().enumerate().skip(1) {
        let what = format!("a hit among {} against among {}", population.size, SIZES[0]);
        let growth = Spread::of(&rounds, |round| round[which] / round[0]);
        print(&what, &growth, "≤ 4");
    }
}

criterion_group!(benches, scale);
criterion_main!(benches);
