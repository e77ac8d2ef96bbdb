//! The last requests, and what the server made of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use tower_wx_session::Rejection;

use super::places::{Check, watched};

/// How many requests are kept.
const KEPT: usize = 500;
/// By which a page finds its own requests: of its choice, and short.
const CALL: &str = "x-demo-call";
const LONGEST_CALL: usize = 32;

#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    last: u64,
    kept: VecDeque<Entry>,
}

/// One request. No token is in it: the path is one of ours, and the query is left out.
#[derive(Clone, Serialize)]
pub struct Entry {
    number: u64,
    call: Option<String>,
    method: String,
    path: String,
    status: u16,
    reason: Option<&'static str>,
    action: Option<&'static str>,
    #[serde(flatten)]
    check: Option<Check>,
}

impl Journal {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, mut entry: Entry) {
        let mut entries = self.entries();
        entries.last += 1;
        entry.number = entries.last;
        if entries.kept.len() == KEPT {
            entries.kept.pop_front();
        }
        entries.kept.push_back(entry);
    }
}

/// Middleware: notes a request when its answer begins.
pub async fn note(State(journal): State<Journal>, request: Request, next: Next) -> Response {
    let (method, path) = (
        request.method().to_string(),
        request.uri().path().to_owned(),
    );
    let call = call(request.headers());
    let (response, check) = watched(next.run(request)).await;
    // Nobody knows what is in a path that is none of ours.
    if response.status() == StatusCode::NOT_FOUND {
        return response;
    }
    let refusal = response.extensions().get::<Rejection>();
    let refusal = refusal.map(Rejection::kind);
    journal.add(Entry {
        number: 0,
        call,
        method,
        path,
        status: response.status().as_u16(),
        reason: refusal.map(|kind| kind.reason()),
        action: refusal.map(|kind| kind.action().as_str()),
        check,
    });
    response
}

fn call(headers: &HeaderMap) -> Option<String> {
    let call = headers.get(CALL)?.to_str().ok()?;
    (call.len() <= LONGEST_CALL).then(|| call.to_owned())
}

/// The requests after that number.
pub async fn tell(State(journal): State<Journal>, Path(after): Path<u64>) -> Json<Vec<Entry>> {
    let entries = journal.entries();
    let new = entries.kept.iter().filter(|entry| entry.number > after);
    Json(new.cloned().collect())
}
