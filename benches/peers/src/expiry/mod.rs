//! Latency while a million sessions expire in the same millisecond.
//!
//! One node issues them; another one serves them, and has all of them in its cache by then.

use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::task::JoinError;
use tower::{Layer, service_fn};
use tower_wx_session::store::{MemoryStore, SessionStore as _, Timestamp};
use tower_wx_session::{SessionLayer, Sessions};

use self::aligned::Aligned;
use self::phase::Phases;
use crate::Outcome;
use crate::contender::ours;
use crate::requests::{Credentials, Requests};
use crate::runtime::runtime;
use crate::stopwatch::answer;
use crate::user::identity;

mod aligned;
mod phase;

const SESSIONS: usize = 1_000_000;
/// Others, which go on.
const LASTING: usize = 10_000;
/// From the first login to the end of all: enough to log in, and to be served once.
const LIFE: Duration = Duration::from_secs(45);
/// A login for so many requests.
const REQUESTS_PER_LOGIN: usize = 64;

pub(crate) fn run() -> Outcome {
    let _entered = runtime().enter();
    let store = MemoryStore::new();
    let end = runtime().block_on(store.now())?.after(LIFE);
    let doomed = log_in(&store, end);
    let sessions = ours::sessions(store.clone(), 2 * SESSIONS);
    let lasting = runtime().block_on(ours::log_in(&sessions, LASTING));
    let doomed = runtime().block_on(serve_all(sessions.clone(), doomed))?;
    let left = end.since(runtime().block_on(store.now())?);
    let before = left.checked_sub(phase::BEFORE);
    std::thread::sleep(
        before.ok_or("this machine is too slow: they expired while they logged in")?,
    );
    measure(&sessions, [doomed, lasting], Instant::now() + phase::BEFORE).report()
}

/// Logs everybody in on another node, with one end for all.
fn log_in(store: &MemoryStore, end: Timestamp) -> Credentials {
    let aligned = Aligned::new(store.clone(), end);
    let builder = Sessions::builder(aligned).cache_capacity(1);
    let sessions = builder.build().expect("no setting is zero");
    runtime().block_on(ours::issue(&sessions, SESSIONS))
}

/// Has this node ask the store about every session once, next to where the store is asked.
async fn serve_all(
    sessions: Sessions<MemoryStore>,
    credentials: Credentials,
) -> Result<Credentials, JoinError> {
    let task = tokio::spawn(async move {
        ours::use_once(&sessions, &credentials).await;
        credentials
    });
    task.await
}

/// Requests one after the other, half of sessions that are to end and half of others, until some
/// time after `end`; and logins, because a store collects what has expired while it is written to.
fn measure(sessions: &Sessions<MemoryStore>, clients: [Credentials; 2], end: Instant) -> Phases {
    let mut service = SessionLayer::new(sessions.clone()).layer(service_fn(ours::handler));
    let mut clients = clients.map(|credentials| Requests::new(Some(credentials)));
    let mut phases = Phases::around(end);
    for number in 0.. {
        let request = clients[number % 2].next();
        let start = Instant::now();
        let status = answer(&mut service, request).status();
        let Some(phase) = phases.at(start) else { break };
        phase.requests.add(start.elapsed());
        phase.refused += usize::from(status == StatusCode::UNAUTHORIZED);
        if number % REQUESTS_PER_LOGIN == 0 {
            let start = Instant::now();
            let issued = runtime().block_on(sessions.issue(identity(number)));
            phase.logins.add(start.elapsed());
            drop(issued);
        }
    }
    phases
}
