//! What a hit adds to a request: the layer around an empty service against that service alone.
//!
//! `cargo bench --all-features --bench hit`
#![allow(missing_docs, reason = "made by the macros of criterion")]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use http::StatusCode;
use http::header::AUTHORIZATION;
use support::client::{log_in, node};
use support::request::{SKEY, presenting};
use support::scaled;
use support::service::{bare, behind, bench, layered};
use tokio::runtime::Runtime;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{SessionLayer, TokenSource};

const OK: StatusCode = StatusCode::OK;

fn hit(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("hit");
    for many in [1, 1000, 100_000] {
        let sessions = node(MemoryStore::new(), 200_000);
        let tokens = runtime.block_on(log_in(&sessions, scaled(many)));
        let bearer = || presenting(AUTHORIZATION, &tokens);
        let skey = || presenting(SKEY, &tokens);
        let layer = |sources: &[TokenSource]| {
            behind(&SessionLayer::new(sessions.clone()).with_sources(sources.to_vec()))
        };
        let mut one = layered(&sessions);
        let mut other = layer(&[TokenSource::skey()]);
        let mut both = layer(&[TokenSource::bearer(), TokenSource::skey()]);

        let row = |name: &str| format!("{name}/{many}");
        bench(&mut group, &row("bare"), (&mut bare(), OK), bearer());
        bench(&mut group, &row("layered"), (&mut one, OK), bearer());
        bench(&mut group, &row("skey"), (&mut other, OK), skey());
        bench(&mut group, &row("two_sources"), (&mut both, OK), bearer());
    }
    group.finish();
}

criterion_group!(benches, hit);
criterion_main!(benches);
