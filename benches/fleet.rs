//! What a fleet asks of its store in an hour: counted on a manual clock, not measured.
//!
//! `cargo bench --all-features --bench fleet`
#![allow(clippy::print_stdout, reason = "the counts are the output")]

mod support;

use std::time::Duration;

use futures_util::FutureExt;
use support::counted::{CountedStore, Counts};
use support::is_measured;
use tokio::task::yield_now;
use tower_wx_session::store::{Feed, FeedEvent, MemoryStore, SessionStore};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, Sessions};

const SESSIONS: usize = 1000;
const REVOKED: usize = 100;
const SECOND: Duration = Duration::from_secs(1);
const HOUR_IN_SECONDS: usize = 3600;
/// Seconds from one use of a session to the next.
const USED_EVERY: usize = 4;
/// Seconds that a confirmation is good for by default.
const WINDOW: f64 = 30.0;
/// Seconds in a tenth of the default idle timeout.
const TENTH: f64 = 720.0;

const LEGEND: &str = "\
An hour of 1000 sessions, each used every 4 s, on one node in turn or on every node; default settings.
reads: per session and node, in the hour and per 30 s that a confirmation is good for;
touches: per session and tenth of the idle timeout (720 s), that per node, and those that are written;
messages to each node: in the hour of use, and per revocation of a user with one session.

used       nodes │     reads  per window │   touches    per node     written │ messages per revocation";

/// Where sessions are used.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// On one node after the other, as a balancer deals requests.
    InTurn,
    /// On every node: the most that a fleet can ask of its store.
    Everywhere,
}

impl Use {
    /// Whether a session is used on a node of so many in this second; not all in the same one.
    const fn is_now(self, second: usize, session: usize, node: usize, nodes: usize) -> bool {
        match self {
            Self::InTurn => {
                let used = second + session;
                used.is_multiple_of(USED_EVERY) && (used / USED_EVERY) % nodes == node
            }
            Self::Everywhere => (second + session + node).is_multiple_of(USED_EVERY),
        }
    }
}

/// Nodes over one store, with the tokens of the sessions in it.
struct Fleet {
    used: Use,
    clock: ManualClock,
    store: CountedStore,
    nodes: Vec<Sessions<CountedStore>>,
    tokens: Vec<String>,
    feed: Feed,
}

impl Fleet {
    /// A fleet in the middle of its day, over links that are up.
    async fn new(nodes: usize, used: Use) -> Self {
        let clock = ManualClock::new();
        let store = CountedStore::new(MemoryStore::with_clock(clock.clone()));
        let feed = store.subscribe().await.expect("the memory store is up");
        let mut fleet = Self {
            used,
            nodes: (0..nodes).map(|_| node(&store, &clock)).collect(),
            clock,
            store,
            tokens: Vec::new(),
            feed,
        };
        for user in 0..SESSIONS {
            let user = identity(user);
            let issued = fleet.nodes[0].issue(user).await.expect("the store is up");
            fleet.tokens.push(issued.token().expose().to_owned());
        }
        fleet.run_for(2 * WINDOW as usize).await;
        fleet
    }

    /// Lets time pass while the sessions are used; what it asked of the store, and the messages.
    async fn run_for(&mut self, seconds: usize) -> (Counts, usize) {
        self.store.take_counts();
        let mut messages = 0;
        for second in 0..seconds {
            self.use_sessions(second).await;
            settle().await;
            messages += self.messages();
        }
        (self.store.take_counts(), messages)
    }

    /// What happens within a second, on no two nodes at the same instant.
    async fn use_sessions(&self, second: usize) {
        let nodes = self.nodes.len();
        for (number, node) in self.nodes.iter().enumerate() {
            for (session, token) in self.tokens.iter().enumerate() {
                if self.used.is_now(second, session, number, nodes) {
                    node.check(token).await.expect("a live session");
                }
            }
            self.clock.advance(SECOND / nodes as u32);
        }
    }

    /// Messages that revocations send to each node.
    async fn revoke_some(&mut self) -> usize {
        for user in 0..REVOKED {
            let node = &self.nodes[user % self.nodes.len()];
            let revoked = node.revoke_user(&identity(user)).await;
            revoked.expect("the store is up");
        }
        settle().await;
        self.messages()
    }

    /// Messages since the last time.
    fn messages(&mut self) -> usize {
        let mut messages = 0;
        while let Some(event) = self.feed.next().now_or_never() {
            let event = event.expect("the link does not end");
            messages += usize::from(matches!(event, FeedEvent::Changed(_)));
        }
        messages
    }
}

/// A node with the default settings, but that it is patient: an hour is over in seconds.
fn node(store: &CountedStore, clock: &ManualClock) -> Sessions<CountedStore> {
    let builder = Sessions::builder(store.clone())
        .clock(clock.clone())
        .store_deadline(10 * SECOND);
    builder.build().expect("settings that are not zero")
}

fn identity(user: usize) -> Identity {
    Identity::new("wx4f4bc4dec97d474b", format!("user{user}"))
}

/// Lets the background tasks run until they have nothing to do.
async fn settle() {
    for _ in 0..50 {
        yield_now().await;
    }
}

async fn count(nodes: usize, used: Use) {
    let mut fleet = Fleet::new(nodes, used).await;
    let (counts, messages) = fleet.run_for(HOUR_IN_SECONDS).await;
    let per_session = |count: usize| count as f64 / SESSIONS as f64;
    let per_node = |count: f64| count / nodes as f64;
    let reads = per_node(per_session(counts.loads));
    let windows = HOUR_IN_SECONDS as f64 / WINDOW;
    let tenths = HOUR_IN_SECONDS as f64 / TENTH;
    let touches = per_session(counts.touches) / tenths;
    let revocations = fleet.revoke_some().await as f64 / REVOKED as f64;
    println!(
        "{:<10} {nodes:>5} │ {reads:>9.1} {:>11.3} │ {touches:>9.3} {:>11.3} {:>11.3} │ {:>8} {:>14.2}",
        format!("{used:?}"),
        reads / windows,
        per_node(touches),
        per_session(counts.writes) / tenths,
        messages,
        revocations,
    );
}

fn main() {
    if !is_measured() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!("{LEGEND}");
    for used in [Use::InTurn, Use::Everywhere] {
        for nodes in [1, 4, 16] {
            runtime.block_on(count(nodes, used));
        }
    }
}
