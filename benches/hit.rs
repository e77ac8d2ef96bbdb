//! What a hit adds to a request: the layer around an empty service against that service alone.
//!
//! `cargo bench --all-features --bench hit`
#![allow(missing_docs, reason = "made by the macros of criterion")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Request, Response};
use tokio::runtime::Runtime;
use tower::{Layer, Service, service_fn};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{Identity, SessionLayer, Sessions};

#[allow(clippy::needless_pass_by_value, reason = "the shape of a service")]
fn inner(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    black_box(&request);
    ready(Ok(Response::new(())))
}

/// Live sessions, as the header values that present them.
fn log_in(runtime: &Runtime, sessions: &Sessions<MemoryStore>, many: usize) -> Vec<HeaderValue> {
    let issue = async |user| {
        let issued = sessions
            .issue(Identity::new("appid", format!("user{user}")))
            .await;
        let issued = issued.expect("the memory store is up");
        let credentials = format!("Bearer {}", issued.token().expose());
        HeaderValue::try_from(credentials).expect("a token is a header value")
    };
    runtime.block_on(async {
        let mut headers = Vec::new();
        for user in 0..many {
            headers.push(issue(user).await);
        }
        headers
    })
}

/// Requests of the users in turn, in an order that no cache line foresees.
fn requests(headers: &[HeaderValue]) -> impl FnMut() -> Request<()> {
    let mut next = 0_usize;
    move || {
        next = (next + 7919) % headers.len();
        let mut request = Request::new(());
        let credentials = headers[next].clone();
        request.headers_mut().insert("authorization", credentials);
        request
    }
}

fn hit(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("hit");
    for many in [1, 100_000] {
        let sessions = Sessions::new(MemoryStore::new());
        let headers = log_in(&runtime, &sessions, many);
        let mut bare = service_fn(inner);
        let mut layered = SessionLayer::new(sessions).layer(service_fn(inner));
        group.bench_function(format!("bare/{many}"), |bencher| {
            let call = |request| bare.call(request);
            bencher.iter_batched(requests(&headers), call, BatchSize::SmallInput);
        });
        group.bench_function(format!("layered/{many}"), |bencher| {
            let call = |request| layered.call(request);
            bencher.iter_batched(requests(&headers), call, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, hit);
criterion_main!(benches);
