//! Reading a link.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use tower_wx_session::SessionId;
use tower_wx_session::store::{Feed, FeedEvent, Timestamp};

/// Far longer than a link is silent.
const PATIENCE: Duration = Duration::from_secs(5);

pub async fn next(feed: &mut Feed) -> Option<FeedEvent> {
    timeout(PATIENCE, feed.next()).await.expect("an event")
}

/// Waits until the link has told of a session.
pub async fn told(feed: &mut Feed, id: SessionId) {
    loop {
        match next(feed).await.expect("the link is up") {
            FeedEvent::Changed(ids) if ids.contains(&id) => return,
            _ => {}
        }
    }
}

/// Waits for the end of a link, and returns how long that took.
pub async fn ended(feed: &mut Feed) -> Duration {
    let start = Instant::now();
    while next(feed).await.is_some() {
        assert!(start.elapsed() < PATIENCE, "the link goes on");
    }
    start.elapsed()
}

pub async fn beats(feed: &mut Feed) -> Timestamp {
    loop {
        if let FeedEvent::Heartbeat(now) = next(feed).await.expect("the link is up") {
            return now;
        }
    }
}
