//! What the hit table costs alone, and what could be the cache of record in moka's place: measured, and not
//! adopted.
//!
//! Each holds handles to values of the size of a session, which know their keys, and says by itself what it
//! gives up when it is full; papaya alone gives up nothing.

use std::time::Duration;

use tokio::runtime::Builder;

use self::evicting::Evicting;
use self::hit_table::HitTable;
use self::own_table::OwnTable;
use self::slab::Slab;
use self::structure::{Moka, Papaya, QuickCache, Record};
use self::timed::{Gets, Inserts};
use crate::Outcome;
use crate::csv::Csv;
use crate::eviction::{Extra, Ideal, Ours, Play, workloads};
use crate::plan::Plan;
use crate::stopwatch::Timed;
use crate::text_table::TextTable;
use crate::threads::{THREADS, speed_up, throughputs};

mod evicting;
mod hit_table;
mod own_table;
mod slab;
mod structure;
mod timed;
mod value;

pub(crate) use self::value::{Value, value};

/// A table with as many slots as its capacity, and one with twice as many.
type Exact = OwnTable<1>;
type Spacious = OwnTable<2>;

const NAMES: [&str; 6] = [
    "moka::sync",
    "quick_cache::sync",
    "papaya",
    "own table",
    "own table twice the slots",
    "slab of 64 locks",
];

const ENTRIES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// So many are no longer near the processor.
const BY_THREADS: usize = 100_000;
const THREADS_PLAN: Plan = Plan {
    rounds: 5,
    time: Duration::from_millis(100),
};

pub(crate) fn run() -> Outcome {
    let columns = [
        "structure",
        "call",
        "entries",
        "visited",
        "threads",
        "calls_per_second",
    ];
    let mut csv = Csv::new(columns);
    for call in [Call::Get, Call::Insert] {
        println!("{}", by_entries(call, &mut csv));
    }
    let (all, one) = (BY_THREADS, 1);
    for (call, visited) in [(Call::Get, all), (Call::Get, one), (Call::Insert, all)] {
        println!("{}", by_threads(call, visited, &mut csv));
    }
    csv.write("record.csv")?;
    println!("{}", evictions()?);
    Ok(())
}

/// What is called, on structures that are full.
#[derive(Clone, Copy)]
enum Call {
    /// Of what was put in.
    Get,
    /// Of what is new.
    Insert,
}

impl Call {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Insert => "insert",
        }
    }

    /// The hit table first, which is no record: what is put into it goes through a node.
    fn names(self) -> Vec<&'static str> {
        match self {
            Self::Get => [&["hit table"], &NAMES[..]].concat(),
            Self::Insert => NAMES.to_vec(),
        }
    }

    fn all(self, entries: usize, visited: usize) -> Vec<Box<dyn Timed>> {
        let mut all: Vec<Box<dyn Timed>> = Vec::new();
        if let Self::Get = self {
            all.push(Box::new(HitTable::filled(entries, visited)));
        }
        all.extend([
            self.of::<Moka>(entries, visited),
            self.of::<QuickCache>(entries, visited),
            self.of::<Papaya>(entries, visited),
            self.of::<Exact>(entries, visited),
            self.of::<Spacious>(entries, visited),
            self.of::<Slab>(entries, visited),
        ]);
        all
    }

    fn of<R: Record>(self, entries: usize, visited: usize) -> Box<dyn Timed> {
        let record = R::filled((0..entries).map(value));
        match self {
            Self::Get => Box::new(Gets::new(record, visited)),
            Self::Insert => Box::new(Inserts::new(record, entries)),
        }
    }
}

fn by_entries(call: Call, csv: &mut Csv) -> String {
    let mut table = TextTable::new(["ns", "1 000", "10 000", "100 000", "1 000 000"]);
    let sizes = ENTRIES.map(|entries| Plan::default().time(&mut call.all(entries, entries)));
    for (index, name) in call.names().into_iter().enumerate() {
        let nanos = sizes.each_ref().map(|rounds| rounds.median(index));
        let [a, b, c, d] = nanos.map(|nanos| format!("{nanos:.0}"));
        table.row([name.to_owned(), a, b, c, d]);
        for (entries, nanos) in ENTRIES.into_iter().zip(nanos) {
            csv.line(line(name, call, [entries, entries, 1], 1e9 / nanos));
        }
    }
    format!("One {}, full, by entries:\n\n{table}", call.name())
}

fn by_threads(call: Call, visited: usize, csv: &mut Csv) -> String {
    let mut table = TextTable::new(["millions a second", "1 thread", "2", "4", "2 against 1"]);
    let rounds = throughputs(&call.all(BY_THREADS, visited), THREADS_PLAN);
    for (index, name) in call.names().into_iter().enumerate() {
        let rates = [0, 1, 2].map(|threads| rounds.median(index * THREADS.len() + threads));
        let [one, two, four] = rates.map(|rate| format!("{:.2}", rate / 1e6));
        let speed_up = format!("{:.2}", rounds.middle(|row| speed_up(row, index)));
        table.row([name.to_owned(), one, two, four, speed_up]);
        for (threads, rate) in THREADS.into_iter().zip(rates) {
            csv.line(line(name, call, [BY_THREADS, visited, threads], rate));
        }
    }
    let call = call.name();
    format!("One {call}, {visited} of {BY_THREADS} entries, by threads:\n\n{table}")
}

fn line(name: &str, call: Call, numbers: [usize; 3], rate: f64) -> [String; 6] {
    let [entries, visited, threads] = numbers.map(|number| number.to_string());
    let (name, call) = (name.to_owned(), call.name().to_owned());
    [name, call, entries, visited, threads, format!("{rate:.0}")]
}

/// What each has a store asked for, beyond a cache without bound.
fn evictions() -> Result<String, std::io::Error> {
    let head = [
        "loads for 1000 requests, new logins of 100",
        "ideal LRU",
        "ours",
        NAMES[1],
        NAMES[3],
        NAMES[4],
        NAMES[5],
    ];
    let mut table = TextTable::new(head);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for (name, workload) in workloads() {
        let fresh_for = workload.fresh_for;
        let play = runtime.block_on(Play::new(&workload));
        let [a, b, c, d, e, f] = runtime
            .block_on(async {
                [
                    play.with(Ideal::new(fresh_for)).await,
                    play.with(Ours::new(fresh_for)).await,
                    play.with(Evicting::<QuickCache>::new(fresh_for)).await,
                    play.with(Evicting::<Exact>::new(fresh_for)).await,
                    play.with(Evicting::<Spacious>::new(fresh_for)).await,
                    play.with(Evicting::<Slab>::new(fresh_for)).await,
                ]
            })
            .map(|extra: Extra| extra.to_string());
        table.row([name.to_owned(), a, b, c, d, e, f]);
    }
    Ok(format!(
        "Full, in the traffic of the part `eviction`:\n\n{table}"
    ))
}

/// Puts values into a structure as large, and keeps it; says how many of them it holds.
pub(crate) type Hold = fn(&[Value]) -> (Box<dyn Send>, usize);

/// For the program that counts bytes.
pub(crate) const STRUCTURES: [(&str, Hold); 6] = [
    (NAMES[0], hold::<Moka>),
    (NAMES[1], hold::<QuickCache>),
    (NAMES[2], hold::<Papaya>),
    (NAMES[3], hold::<Exact>),
    (NAMES[4], hold::<Spacious>),
    (NAMES[5], hold::<Slab>),
];

fn hold<R: Record>(values: &[Value]) -> (Box<dyn Send>, usize) {
    let record = R::filled(values.iter().cloned());
    let held = record.len();
    (Box::new(record), held)
}
