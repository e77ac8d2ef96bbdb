//! The memory of a cached session: what is allocated for it and still held, tokens left out.

use std::sync::Arc;

use tokio::runtime::Builder;
use tower_sessions_0_14::SessionStore as _;
use tower_sessions_0_14::cookie::time::{Duration, OffsetDateTime};
use tower_sessions_0_14::session::{Id, Record};
use tower_sessions_moka_store::MokaStore;

use crate::Outcome;
use crate::contender::{hand_written, ours};
use crate::csv::Csv;
use crate::forgetful::Forgetful;
use crate::plot;
use crate::record::{self, Hold, Value};
use crate::text_table::TextTable;
use crate::user::{User, identity, openid};

const SESSIONS: [usize; 2] = [100_000, 1_000_000];

/// Entries of the structures that could be in moka's place.
const STRUCTURED: usize = 1_000_000;

/// Bytes of a standard session of ours, to stay below.
const TARGET: f64 = 700.0;

/// Bytes of the value, and of the two counters in front of it.
const VALUE: usize = 300;
const COUNTERS: usize = 16;

/// Puts so many sessions into a cache, and keeps it.
type Fill = fn(usize) -> Box<dyn Send>;

const CACHES: [(&str, Fill); 4] = [
    ("ours", ours_filled),
    ("moka, values of 300 B", moka_filled),
    ("hand-written", hand_written_filled),
    ("tower-sessions + moka", tower_sessions_filled),
];

/// Measures all caches. `allocated` runs what it is given, on this thread, and says how many
/// bytes more are allocated than before.
///
/// # Errors
///
/// If the figures cannot be written.
pub fn run(allocated: fn(&mut dyn FnMut()) -> i64) -> Outcome {
    let mut csv = Csv::new(["cache", "sessions", "bytes_per_session"]);
    let mut table = TextTable::new(["memory of a session", "100 000", "1 000 000"]);
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
        bytes.push(row[1]);
    }
    println!("{table}");
    let moka = bytes[1] - (VALUE + COUNTERS) as f64;
    println!(
        "A session of ours: {:.0} B (target: ≤ {TARGET}), of which moka takes {moka:.0} B and the record {:.0} B\n",
        bytes[0],
        bytes[0] - moka,
    );
    println!("{}", structures(allocated));
    csv.write("memory.csv")?;
    plot::memory(&bars)
}

/// What could be in moka's place: bytes for an entry, its value left out, when as many were put in as fit in.
fn structures(allocated: fn(&mut dyn FnMut()) -> i64) -> TextTable {
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

fn held_by(allocated: fn(&mut dyn FnMut()) -> i64, hold: Hold, values: &[Value]) -> (i64, usize) {
    let mut holding = None;
    let bytes = allocated(&mut || holding = Some(hold(values)));
    (bytes, holding.map_or(0, |(_, held)| held))
}

/// Bytes for each session.
fn held(allocated: fn(&mut dyn FnMut()) -> i64, fill: Fill, sessions: usize) -> f64 {
    let mut cache = None;
    let bytes = allocated(&mut || cache = Some(fill(sessions)));
    drop(cache);
    bytes as f64 / sessions as f64
}

/// Runs what is asynchronous on this thread, where it is counted.
fn here<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime needs no thread").block_on(future)
}

fn ours_filled(many: usize) -> Box<dyn Send> {
    let sessions = ours::sessions(Forgetful::default(), many);
    here(async {
        for user in 0..many {
            let issued = sessions.issue(identity(user)).await;
            issued.expect("the store is up");
        }
    });
    Box::new(sessions)
}

fn moka_filled(many: usize) -> Box<dyn Send> {
    let cache = moka::sync::Cache::<[u8; 18], Arc<[u8; VALUE]>>::new(many as u64);
    for number in 0..many {
        let mut key = [0; 18];
        key[..8].copy_from_slice(&number.to_le_bytes());
        cache.insert(key, Arc::new([1; VALUE]));
    }
    cache.run_pending_tasks();
    Box::new(cache)
}

fn hand_written_filled(many: usize) -> Box<dyn Send> {
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
}

fn tower_sessions_filled(many: usize) -> Box<dyn Send> {
    let store = MokaStore::new(Some(many as u64));
    let expiry_date = OffsetDateTime::now_utc() + Duration::weeks(2);
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
}
