//! Hits per second with one, two and four threads, each with a clone of the service: uniform over
//! many sessions, and all on one hot session.
//!
//! `cargo bench --all-features --bench threads`; with `-- ratios` the speed-up only.
#![allow(missing_docs, reason = "made by the macros of criterion")]

mod support;

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use support::client::{log_in, node};
use support::request::presenting;
use support::rounds::{Spread, in_turns, print};
use support::service::{answer, layered};
use support::{is_measured, scaled};
use tokio::runtime::{Handle, Runtime};
use tower::Service;
use tower_wx_session::store::MemoryStore;

const THREADS: [usize; 3] = [1, 2, 4];
const ROUNDS: usize = 15;
/// Hits of each thread in a round.
const HITS: usize = 100_000;
/// Requests that each thread makes before all of them start together: so many that starting is
/// little of the time.
const CHUNK: usize = 4096;

/// The time that all threads take for `hits` each. Making the requests does not count.
fn elapsed<S, B>(service: &S, tokens: &[String], threads: usize, hits: usize) -> Duration
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + Send,
{
    let start = Barrier::new(threads);
    let start = &start;
    let run = |number: usize| {
        let mut service = service.clone();
        // Each thread has a place of its own to begin at.
        let (before, after) = tokens.split_at(number * tokens.len() / threads);
        let tokens = [after, before].concat();
        let runtime = Handle::current();
        move || {
            let _entered = runtime.enter();
            let mut next = presenting(AUTHORIZATION, &tokens);
            let chunks = (0..hits).step_by(CHUNK);
            let mut chunk = |done: usize| {
                let requests: Vec<_> = (done..hits).take(CHUNK).map(|_| next()).collect();
                start.wait();
                answer_all(&mut service, requests)
            };
            chunks.map(&mut chunk).collect::<Vec<_>>()
        }
    };
    let spans: Vec<_> = thread::scope(|scope| {
        let spawned: Vec<_> = (0..threads)
            .map(|number| scope.spawn(run(number)))
            .collect();
        let joined = spawned.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|spans| spans.expect("no panic")).collect()
    });
    (0..hits.div_ceil(CHUNK))
        .map(|chunk| first_to_last(spans.iter().map(|spans| spans[chunk])))
        .sum()
}

/// When a thread began and when it was done.
type Span = (Instant, Instant);

fn answer_all<S, B>(service: &mut S, requests: Vec<Request<()>>) -> Span
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let start = Instant::now();
    for request in requests {
        black_box(answer(service, request));
    }
    (start, Instant::now())
}

/// From the first start to the last end: threads that wait for a processor have not started.
fn first_to_last(spans: impl Iterator<Item = Span> + Clone) -> Duration {
    let first = spans.clone().map(|(start, _)| start).min();
    let last = spans.map(|(_, end)| end).max();
    last.zip(first)
        .map(|(last, first)| last - first)
        .unwrap_or_default()
}

fn threads(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let sessions = node(MemoryStore::new(), 200_000);
    let tokens = runtime.block_on(log_in(&sessions, scaled(100_000)));
    let service = layered(&sessions);
    let mut group = criterion.benchmark_group("threads");
    for (name, tokens) in [("uniform", &tokens[..]), ("hot", &tokens[..1])] {
        for threads in THREADS {
            group.throughput(Throughput::Elements(threads as u64));
            group.bench_function(format!("{name}/{threads}"), |bencher| {
                bencher.iter_custom(|hits| elapsed(&service, tokens, threads, hits as usize));
            });
        }
        if is_measured() {
            print_speed_up(name, &service, tokens);
        }
    }
    group.finish();
}

/// Prints how many times the hits per second of one thread the others make.
fn print_speed_up<S, B>(name: &str, service: &S, tokens: &[String])
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + Send,
{
    let rounds = in_turns(ROUNDS, THREADS.len(), |which| {
        let threads = THREADS[which];
        let elapsed = elapsed(service, tokens, threads, HITS);
        (threads * HITS) as f64 / elapsed.as_secs_f64()
    });
    for (which, threads) in THREADS.iter().enumerate().skip(1) {
        let speed_up = Spread::of(&rounds, |round| round[which] / round[0]);
        let what = format!("{name}, {threads} threads against one");
        print(&what, &speed_up, "≥ 0.9 × the floor's own");
    }
}

criterion_group!(benches, threads);
criterion_main!(benches);
