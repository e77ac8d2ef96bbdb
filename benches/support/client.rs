//! Users that have logged in.

use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::sessions::OutagePolicy;
use tower_wx_session::store::SessionStore;
use tower_wx_session::{Identity, Sessions};

/// Longer than a bench runs.
const HOUR: Duration = Duration::from_secs(3600);
const LINK_UP_WITHIN: Duration = Duration::from_millis(200);
/// Sessions used at the same time for the first time: fewer than a node owes a store uses of.
const AT_ONCE: usize = 10_000;

/// A node that answers from what it knows while a bench runs: what confirmations cost the store is
/// counted by the tests, in `tests/check/cost.rs`.
pub fn node<S: SessionStore>(store: S, capacity: u64) -> Sessions<S> {
    let builder = Sessions::builder(store)
        .cache_capacity(capacity)
        .fresh_for(HOUR)
        .fresh_for_without_link(HOUR)
        .outage_policy(OutagePolicy::ServeKnown(HOUR));
    builder.build().expect("settings that are not zero")
}

/// Logs in that many users and has each use its session; gives their tokens.
pub async fn log_in<S: SessionStore>(sessions: &Sessions<S>, many: usize) -> Vec<String> {
    issue(sessions, "first").await;
    // What was issued before the link to the store is up is confirmed once it is.
    sleep(LINK_UP_WITHIN).await;
    let mut tokens = Vec::with_capacity(many);
    for user in 0..many {
        tokens.push(issue(sessions, &format!("{user:08}")).await);
    }
    for tokens in tokens.chunks(AT_ONCE) {
        use_once(sessions, tokens).await;
    }
    tokens
}

async fn issue<S: SessionStore>(sessions: &Sessions<S>, user: &str) -> String {
    let user = Identity::new("wx4f4bc4dec97d474b", format!("oGZUI0egBJY1zhBYw2Kh{user}"));
    let issued = sessions.issue(user).await.expect("the store is up");
    issued.token().expose().to_owned()
}

/// The first use of a session is told to the store: not while something is measured.
async fn use_once<S: SessionStore>(sessions: &Sessions<S>, tokens: &[String]) {
    for token in tokens {
        let checked = sessions.check(token).await;
        checked.expect("a live session");
    }
    sessions.shutdown().await.expect("the store is up");
}
