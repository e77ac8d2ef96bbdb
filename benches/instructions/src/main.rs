//! How many instructions the layer adds to a request: for `.ci/instructions`, which runs this
//! under callgrind, since times on shared machines cannot be compared from one day to the next.
//!
//! `.ci/instructions`
#![allow(missing_docs, reason = "a program")]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{HeaderValue, Method, Request, Response};
use tokio::runtime;
use tower::{Layer, Service, service_fn};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{Identity, Session, SessionLayer, Sessions};

const SESSIONS: usize = 1000;
const REQUESTS: usize = 1000;

fn main() {
    // `cargo test --benches` has no case to measure.
    let Some(case) = std::env::args().find_map(|argument| Case::named(&argument)) else {
        return;
    };
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let store = MemoryStore::new();
    let mut sessions = Sessions::new(store.clone());
    let tokens = runtime.block_on(log_in(&sessions, case.sessions()));
    let _entered = runtime.enter();
    if matches!(case, Case::Cold) {
        sessions = Sessions::new(store);
    }
    let mut requests = (0..2 * REQUESTS).map(|i| case.request(&tokens[i % tokens.len()]));
    let mut layered = SessionLayer::new(sessions).layer(service_fn(inner));
    for request in requests.by_ref().take(REQUESTS) {
        call(&mut layered, request);
    }
    let requests: Vec<_> = requests.collect();
    match case {
        Case::Bare => measured(&mut service_fn(inner), requests),
        _ => measured(&mut layered, requests),
    }
}

#[derive(Clone, Copy)]
enum Case {
    Bare,
    Hit,
    /// The first check on a node, of a session in a store that answers at once.
    Cold,
    Missing,
    Malformed,
    Forged,
    GrpcMissing,
}

impl Case {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bare" => Self::Bare,
            "hit" => Self::Hit,
            "cold" => Self::Cold,
            "missing" => Self::Missing,
            "malformed" => Self::Malformed,
            "forged" => Self::Forged,
            "grpc-missing" => Self::GrpcMissing,
            _ => return None,
        })
    }

    /// As many as requests, where each is to find one that was not checked before.
    const fn sessions(self) -> usize {
        match self {
            Self::Cold => 2 * REQUESTS,
            _ => SESSIONS,
        }
    }

    fn request(self, token: &str) -> Request<()> {
        let credentials = match self {
            Self::Bare | Self::Hit | Self::Cold => format!("Bearer {token}"),
            Self::Missing | Self::GrpcMissing => String::new(),
            Self::Malformed => format!("Bearer {}", token.replace('_', "+")),
            Self::Forged => format!("Bearer {}", forged(token)),
        };
        let content_type = match self {
            Self::GrpcMissing => "application/grpc",
            _ => "application/json",
        };
        let mut request = Request::new(());
        if matches!(self, Self::GrpcMissing) {
            *request.method_mut() = Method::POST;
        }
        let headers = request.headers_mut();
        for (name, value) in [
            ("host", "api.example.com"),
            ("user-agent", "Mozilla/5.0 MicroMessenger/8.0.50"),
            ("content-type", content_type),
            ("authorization", &credentials),
        ] {
            let value = HeaderValue::from_str(value).expect("a header value");
            headers.insert(name, value);
        }
        request
    }
}

/// The token with another character in its random part.
fn forged(token: &str) -> String {
    let other = if &token[20..21] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..20], &token[21..])
}

async fn log_in(sessions: &Sessions<MemoryStore>, users: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for user in 0..users {
        let user = Identity::new("wx4f4bc4dec97d474b", format!("user{user:024}"));
        let issued = sessions.issue(user).await.expect("the memory store is up");
        tokens.push(issued.token().expose().to_owned());
    }
    tokens
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of a service")]
fn inner(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    black_box(request.extensions().get::<Session>().map(Session::openid));
    ready(Ok(Response::new(())))
}

/// What callgrind counts.
#[inline(never)]
fn measured<S, R>(service: &mut S, requests: Vec<Request<()>>)
where
    S: Service<Request<()>, Response = R, Error = Infallible>,
{
    for request in requests {
        call(service, request);
    }
}

fn call<S, R>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = R, Error = Infallible>,
{
    let mut response = pin!(service.call(request));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(response) = response.as_mut().poll(&mut context) {
            drop(black_box(response));
            break;
        }
    }
}
