//! What this project refuses without a question to the store, while so many sessions are live.

use http::header::AUTHORIZATION;
use tower::{Layer, service_fn};
use tower_wx_session::SessionLayer;
use tower_wx_session::store::MemoryStore;

use super::{Contender, ours};
use crate::requests::{Credentials, Requests};
use crate::runtime::runtime;

const GRPC: &str = "application/grpc";

/// Every kind of refusal over HTTP, then the same over gRPC; and a hit, to compare them with.
pub(crate) fn all(users: usize) -> Vec<Contender> {
    let sessions = ours::sessions(MemoryStore::new(), users);
    let live = runtime().block_on(ours::log_in(&sessions, users));
    let service = SessionLayer::new(sessions).layer(service_fn(ours::handler));
    let malformed = || Requests::new(Some(changed(&live, malform)));
    let forged = || Requests::new(Some(changed(&live, forge)));
    let refused = [
        ("missing", Requests::new(None)),
        ("malformed", malformed()),
        ("bad tag", forged()),
        ("missing, gRPC", Requests::new(None).with_content_type(GRPC)),
        ("malformed, gRPC", malformed().with_content_type(GRPC)),
        ("bad tag, gRPC", forged().with_content_type(GRPC)),
    ];
    let hit = ("hit", Requests::new(Some(live.clone())));
    let cases = [hit].into_iter().chain(refused);
    cases
        .map(|(name, requests)| Contender::under(name, service.clone(), requests))
        .collect()
}

fn changed(live: &Credentials, change: fn(&str) -> String) -> Credentials {
    let values = live.values().map(String::from_utf8_lossy);
    Credentials::of(AUTHORIZATION, values.map(|value| change(&value)))
}

/// As a token of another service: of the same length, and with another prefix.
fn malform(credentials: &str) -> String {
    credentials.replace("wxs_", "xyz_")
}

/// Other random bytes under the same tag.
fn forge(credentials: &str) -> String {
    let (head, rest) = credentials.split_at("Bearer wxs_".len() + 20);
    let swapped: String = rest[..8].chars().rev().collect();
    format!("{head}{swapped}{}", &rest[8..])
}
