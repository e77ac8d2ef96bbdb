//! The memory of a cached session: what is allocated for it and still held, tokens left out.

use std::sync::Arc;

use tokio::runtime::Builder;
use tower_sessions_0_14::SessionStore as _;
use tower_sessions_0_14::cookie::time::{Duration, OffsetDateTime};
use tower_sessions_0_14::session::{Id, Record};
use tower_sessions_moka_store::MokaStore;
use tower_wx_session::Sessions;

use crate::Outcome;
use crate::contender::{hand_written, ours};
use crate::csv::Csv;
use crate::forgetful::Forgetful;
use crate::plot;
use crate::record::{self, Hold, Value};
use crate::requests::Credentials;
use crate::text_table::TextTable;
use crate::user::{User, identity, openid};

mod day;

pub use self::day::as_started;

/// The default capacity of our cache, and many.
const SESSIONS: [usize; 2] = [200_000, 1_000_000];

/// Entries of the structures that could be in moka's place.
const STRUCTURED: usize = 1_000_000;

/// Bytes of a standard session of ours, to stay below.
const TARGET: f64 = 450.0;

/// Bytes of the value, and of the two counters in front of it.
const VALUE: usize = 300;
const COUNTERS: usize = 16;

/// Says how many bytes more are allocated on this thread than before what it is given has run.
pub type Allocated = fn(&mut dyn FnMut()) -> i64;

/// A cache, and what it was filled with.
type Filled = Box<dyn Send>;

/// Prepares so many sessions, which are not counted, and says how they are put into a cache.
type Fill = fn(usize) -> Box<dyn FnOnce() -> Filled>;

const CACHES: [(&str, Fill); 4] = [
    ("ours", ours_filled),
    ("moka, values of 300 B", moka_filled),
    ("hand-written", hand_written_filled),
    ("tower-sessions + moka", tower_sessions_filled),
];

/// Measures all caches, and a node after a day of bursts.
///
/// # Errors
///
/// If the figures cannot be written.
pub fn run(allocated: Allocated) -> Outcome {
    let mut csv = Csv::new(["cache", "sessions", "bytes_per_session"]);
    let mut table = TextTable::new(["memory of a session", "200 000", "1 000 000"]);
    let mut bars = Vec::new();
    let mut bytes = Vec::new();
    for (name, fill) in CACHES {
        let row = SESSIONS.map(|sessions| held(allocated, fill, sessions));
        let [few, many] = row.map(|bytes| format!("{bytes:.0} B"));
        table.row([name.to_owned(), few, many]);
        for (sessions, bytes) in SESSIONS.iter().zip(row) {
            csv.line([name.to_owned(), sessions.to_string(), format!("{bytes:.1}")]);
        }
        bars.push((name, row[1]));
        bytes.push(row);
    }
    println!("{table}");
    let moka = bytes[1].map(|bytes| bytes - (VALUE + COUNTERS) as f64);
    println!(
        "A session of ours: {:.0} and {:.0} B (target: ≤ {TARGET}). A cache of moka as it comes takes {:.0} and {:.0} B beside a value.\n",
        bytes[0][0], bytes[0][1], moka[0], moka[1],
    );
    println!("{}", structures(allocated));
    csv.write("memory.csv")?;
    plot::memory(&bars)?;
    day::run()
}

/// What could be in moka's place: bytes for an entry, its value left out, when as many were put in as fit in.
fn structures(allocated: Allocated) -> TextTable {
    let mut table = TextTable::new([
        "structure alone",
        "bytes for an entry",
        "holds, of 1 000 000",
    ]);
    let values: Vec<Value> = (0..STRUCTURED).map(record::value).collect();
    for (name, hold) in record::STRUCTURES {
        let (bytes, held) = held_by(allocated, hold, &values);
        let bytes = bytes as f64 / held as f64;
        table.row([name.to_owned(), format!("{bytes:.0} B"), held.to_string()]);
    }
    table
}

fn held_by(allocated: Allocated, hold: Hold, values: &[Value]) -> (i64, usize) {
    let mut holding = None;
    let bytes = allocated(&mut || holding = Some(hold(values)));
    (bytes, holding.map_or(0, |(_, held)| held))
}

/// Bytes for each session.
fn held(allocated: Allocated, fill: Fill, sessions: usize) -> f64 {
    let mut fill = Some(fill(sessions));
    let mut cache = None;
    let bytes = allocated(&mut || cache = fill.take().map(|fill| fill()));
    drop(cache);
    bytes as f64 / sessions as f64
}

/// Runs what is asynchronous on this thread, where it is counted.
fn here<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime needs no thread").block_on(future)
}

/// Tokens of as many sessions, which another node has issued.
fn tokens(many: usize) -> Credentials {
    let elsewhere = ours::sessions(Forgetful::default(), many);
    here(ours::issue(&elsewhere, many))
}

/// A node that has read its sessions from a store.
fn ours_filled(many: usize) -> Box<dyn FnOnce() -> Filled> {
    let tokens = tokens(many);
    Box::new(move || {
        let sessions = ours::sessions(Forgetful::answering(), many);
        here(ours::use_once(&sessions, &tokens));
        Box::new((sessions, tokens))
    })
}

/// Issues sessions, and keeps no token.
async fn log_in(sessions: &Sessions<Forgetful>, users: usize) {
    for user in 0..users {
        let issued = sessions.issue(identity(user)).await;
        issued.expect("the store is up");
    }
}

fn moka_filled(many: usize) -> Box<dyn FnOnce() -> Filled> {
    Box::new(move || {
        let cache = moka::sync::Cache::<[u8; 18], Arc<[u8; VALUE]>>::new(many as u64);
        for number in 0..many {
            let mut key = [0; 18];
            key[..8].copy_from_slice(&number.to_le_bytes());
            cache.insert(key, Arc::new([1; VALUE]));
        }
        cache.run_pending_tasks();
        Box::new(cache)
    })
}

fn hand_written_filled(many: usize) -> Box<dyn FnOnce() -> Filled> {
    Box::new(move || {
        let cache = hand_written::cache(many);
        here(async {
            for number in 0..many {
                let mut digest = [0; 32];
                digest[..8].copy_from_slice(&number.to_le_bytes());
                cache.insert(digest, User::new(number)).await;
            }
            cache.run_pending_tasks().await;
        });
        Box::new(cache)
    })
}

fn tower_sessions_filled(many: usize) -> Box<dyn FnOnce() -> Filled> {
    let expiry_date = OffsetDateTime::now_utc() + Duration::weeks(2);
    Box::new(move || {
        let store = MokaStore::new(Some(many as u64));
        here(async {
            for number in 0..many {
                let data = [("user".to_owned(), openid(number).into())];
                let mut record = Record {
                    id: Id::default(),
                    data: data.into_iter().collect(),
                    expiry_date,
                };
                store.create(&mut record).await.expect("memory takes it");
            }
        });
        Box::new(store)
    })
}
