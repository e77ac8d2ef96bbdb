//! What could be the cache of record in moka's place: measured, and not adopted.
//!
//! Each holds handles to values of the size of a session, which know their keys, and says by itself what it
//! gives up when it is full; papaya alone gives up nothing.

use std::time::Duration;

use tokio::runtime::Builder;

use self::evicting::Evicting;
use self::own_table::OwnTable;
use self::slab::Slab;
use self::structure::{Moka, Papaya, QuickCache, Record};
use self::timed::{Gets, Inserts};
use crate::Outcome;
use crate::csv::Csv;
use crate::eviction::{Extra, Ideal, Ours, Play, workloads};
use crate::plan::Plan;
use crate::rounds::Rounds;
use crate::stopwatch::Timed;
use crate::text_table::TextTable;
use crate::threads::{THREADS, speed_up, throughputs};

mod evicting;
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
    "own table, twice the slots",
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
    let mut csv = Csv::new(["structure", "entries", "threads", "get_ns", "insert_ns"]);
    println!("{}", by_entries(&mut csv));
    println!("{}", by_threads(&mut csv));
    csv.write("record.csv")?;
    println!("{}", evictions()?);
    Ok(())
}

/// Full structures under one kind of call: gets of what was put in, or inserts of what is new.
struct Timings {
    gets: Vec<Box<dyn Timed>>,
    inserts: Vec<Box<dyn Timed>>,
}

impl Timings {
    fn of(entries: usize) -> Self {
        let mut timings = Self {
            gets: Vec::new(),
            inserts: Vec::new(),
        };
        timings.add::<Moka>(entries);
        timings.add::<QuickCache>(entries);
        timings.add::<Papaya>(entries);
        timings.add::<Exact>(entries);
        timings.add::<Spacious>(entries);
        timings.add::<Slab>(entries);
        timings
    }

    fn add<R: Record>(&mut self, entries: usize) {
        let record = R::filled((0..entries).map(value));
        self.gets.push(Box::new(Gets::new(record.clone(), entries)));
        self.inserts.push(Box::new(Inserts::new(record, entries)));
    }
}

fn by_entries(csv: &mut Csv) -> String {
    let head = ["ns", "1 000", "10 000", "100 000", "1 000 000"];
    let (mut gets, mut inserts) = (TextTable::new(head), TextTable::new(head));
    let sizes = ENTRIES.map(|entries| {
        let mut timings = Timings::of(entries);
        // In this order: inserts push out what is looked for.
        let gets = Plan::default().time(&mut timings.gets);
        [gets, Plan::default().time(&mut timings.inserts)]
    });
    for (index, name) in NAMES.into_iter().enumerate() {
        for (call, table) in [&mut gets, &mut inserts].into_iter().enumerate() {
            let nanos = |size: &[Rounds; 2]| format!("{:.0}", size[call].median(index));
            let [a, b, c, d] = sizes.each_ref().map(nanos);
            table.row([name.to_owned(), a, b, c, d]);
        }
        for (entries, size) in ENTRIES.iter().zip(&sizes) {
            let [get, insert] = size
                .each_ref()
                .map(|call| format!("{:.1}", call.median(index)));
            let entries = entries.to_string();
            csv.line([name.replace(',', ""), entries, "1".to_owned(), get, insert]);
        }
    }
    format!("One get from a full cache, by entries:\n\n{gets}\nOne insert into it:\n\n{inserts}")
}

/// Nanoseconds of all threads together for each call: half as many with two is a speed-up of 2.
fn by_threads(csv: &mut Csv) -> String {
    let head = [
        "millions a second",
        "get, 1 thread",
        "2",
        "2 against 1",
        "insert, 1",
        "2",
        "2 against 1",
    ];
    let mut table = TextTable::new(head);
    let timings = Timings::of(BY_THREADS);
    let calls = [timings.gets, timings.inserts].map(|timed| throughputs(&timed, THREADS_PLAN));
    for (index, name) in NAMES.into_iter().enumerate() {
        let rate = |rounds: &Rounds, threads| rounds.median(index * THREADS.len() + threads);
        let [get, insert] = calls.each_ref().map(|rounds| {
            let [one, two] = [0, 1].map(|threads| format!("{:.2}", rate(rounds, threads) / 1e6));
            [
                one,
                two,
                format!("{:.2}", rounds.middle(|row| speed_up(row, index))),
            ]
        });
        let [[a, b, c], [d, e, f]] = [get, insert];
        table.row([name.to_owned(), a, b, c, d, e, f]);
        let [get, insert] = calls
            .each_ref()
            .map(|rounds| format!("{:.1}", 1e9 / rate(rounds, 1)));
        let entries = BY_THREADS.to_string();
        csv.line([name.replace(',', ""), entries, "2".to_owned(), get, insert]);
    }
    format!("{BY_THREADS} entries, by threads:\n\n{table}")
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
