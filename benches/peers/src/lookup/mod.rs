//! What the lookup structures alone cost: no token, no service.

use std::time::Duration;

use self::structure::{FutureMoka, HitTable, Papaya, QuickCache, Structure, SyncMoka};
use self::timed::Lookups;
use crate::Outcome;
use crate::csv::Csv;
use crate::plan::Plan;
use crate::stopwatch::Timed;
use crate::text_table::TextTable;
use crate::threads::{THREADS, speed_up, throughputs};

mod structure;
mod timed;

const ENTRIES: [usize; 4] = [1, 1_000, 100_000, 1_000_000];
const NAMES: [&str; 5] = [
    "hit table",
    "moka::sync",
    "moka::future",
    "quick_cache::sync",
    "papaya",
];

const THREADS_PLAN: Plan = Plan {
    rounds: 5,
    time: Duration::from_millis(200),
};
/// One hot key, and so many that they are no longer near the processor.
const VISITS: [(&str, usize); 2] = [("one hot", 1), ("uniform", 100_000)];

pub(crate) fn run() -> Outcome {
    let mut csv = Csv::new(["structure", "entries", "threads", "calls_per_second"]);
    println!("One lookup, in nanoseconds:\n\n{}", by_entries(&mut csv));
    println!(
        "Millions of lookups for each second:\n\n{}",
        by_threads(&mut csv)
    );
    csv.write("lookup.csv")?;
    Ok(())
}

fn all(entries: usize) -> Vec<Box<dyn Timed>> {
    vec![
        timed::<HitTable>(entries),
        timed::<SyncMoka>(entries),
        timed::<FutureMoka>(entries),
        timed::<QuickCache>(entries),
        timed::<Papaya>(entries),
    ]
}

fn timed<S: Structure>(entries: usize) -> Box<dyn Timed> {
    Box::new(Lookups::new(S::filled(entries), entries))
}

fn by_entries(csv: &mut Csv) -> TextTable {
    let mut table = TextTable::new(["lookup", "1", "1 000", "100 000", "1 000 000"]);
    let rounds = ENTRIES.map(|entries| Plan::default().time(&mut all(entries)));
    for (index, name) in NAMES.into_iter().enumerate() {
        let nanos = [0, 1, 2, 3].map(|size| rounds[size].median(index));
        let [a, b, c, d] = nanos.map(|nanos| format!("{nanos:.0}"));
        table.row([name.to_owned(), a, b, c, d]);
        for (entries, nanos) in ENTRIES.iter().zip(nanos) {
            let rate = format!("{:.0}", 1e9 / nanos);
            csv.line([name.to_owned(), entries.to_string(), "1".to_owned(), rate]);
        }
    }
    table
}

fn by_threads(csv: &mut Csv) -> TextTable {
    let mut table = TextTable::new(["keys", "structure", "1", "2", "4", "2 against 1"]);
    for (visits, entries) in VISITS {
        let rounds = throughputs(&all(entries), THREADS_PLAN);
        for (index, name) in NAMES.into_iter().enumerate() {
            let rates = [0, 1, 2].map(|threads| rounds.median(index * THREADS.len() + threads));
            let [one, two, four] = rates.map(|rate| format!("{:.2}", rate / 1e6));
            let speed_up = format!("{:.2}", rounds.middle(|row| speed_up(row, index)));
            table.row([visits.to_owned(), name.to_owned(), one, two, four, speed_up]);
            for (threads, rate) in THREADS.iter().zip(rates).skip(1) {
                let rate = format!("{rate:.0}");
                csv.line([
                    name.to_owned(),
                    entries.to_string(),
                    threads.to_string(),
                    rate,
                ]);
            }
        }
    }
    table
}
