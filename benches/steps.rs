//! What each step of a hit costs, with one live session: all in the caches of the processor.
//!
//! `cargo bench --all-features --bench steps`
#![allow(missing_docs, reason = "made by the macros of criterion")]

mod support;

use std::hint::black_box;

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use http::Request;
use http::header::AUTHORIZATION;
use support::client::{log_in, node};
use support::request::presenting;
use tokio::runtime::Runtime;
use tower_wx_session::Session;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::HitSteps;

fn steps(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let sessions = node(MemoryStore::new(), 1000);
    let token = runtime.block_on(log_in(&sessions, 1)).remove(0);
    let session = runtime.block_on(sessions.check(&token));
    let session = session.expect("a live session");
    let (steps, id) = (HitSteps::new(sessions), session.id());
    let tokens = [token];
    let mut request = presenting(AUTHORIZATION, &tokens)();
    let token = tokens[0].as_bytes();

    let mut group = criterion.benchmark_group("steps");
    let mut step = |name: &str, run: &mut dyn FnMut(&mut Bencher<'_>)| {
        group.bench_function(name, |bencher| run(bencher));
    };
    step("find the token", &mut |b| {
        b.iter(|| steps.find(black_box(&request)));
    });
    step("decode", &mut |b| b.iter(|| steps.decode(black_box(token))));
    step("decode and digest", &mut |b| {
        b.iter(|| steps.decode_and_digest(black_box(token)));
    });
    step("clock", &mut |b| b.iter(|| steps.clock()));
    step("probe of the hit table", &mut |b| {
        b.iter(|| steps.probe(black_box(id)));
    });
    step("clock and decide", &mut |b| {
        b.iter(|| steps.clock_and_decide(black_box(&session)));
    });
    step("clock and note the use", &mut |b| {
        b.iter(|| steps.clock_and_use(black_box(&session)));
    });
    step("hide the token", &mut |b| {
        b.iter(|| steps.hide(black_box(&mut request)));
    });
    step("insert into the extensions", &mut |b| {
        b.iter_batched_ref(
            || Request::new(()),
            |request| request.extensions_mut().insert::<Session>(session.clone()),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
