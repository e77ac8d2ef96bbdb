use std::time::{Duration, Instant};

use crate::Outcome;
use crate::csv::Csv;
use crate::latency::{Latencies, Micros};
use crate::text_table::TextTable;

/// How long is measured before the end.
pub(super) const BEFORE: Duration = Duration::from_secs(1);
/// How much of the time after it counts as the expiry, and how long is measured after it.
const EXPIRY: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(3);

/// Nine hundred and ninety-nine of a thousand requests are to take no longer.
const TARGET: Duration = Duration::from_millis(5);

/// What happened in a part of the time around the end.
#[derive(Debug, Default)]
pub(super) struct Phase {
    pub(super) requests: Latencies,
    pub(super) logins: Latencies,
    /// Requests that were told to log in.
    pub(super) refused: usize,
}

/// Before, through and after the end.
#[derive(Debug)]
pub(super) struct Phases {
    end: Instant,
    phases: [(&'static str, Phase); 3],
}

impl Phases {
    pub(super) fn around(end: Instant) -> Self {
        let names = [
            "the second before",
            "the second of the expiry",
            "two seconds after",
        ];
        let phases = names.map(|name| (name, Phase::default()));
        Self { end, phases }
    }

    /// The phase of an instant, if it is to be measured still.
    pub(super) fn at(&mut self, instant: Instant) -> Option<&mut Phase> {
        let index = match instant.checked_duration_since(self.end) {
            None => 0,
            Some(after) if after < EXPIRY => 1,
            Some(after) if after < AFTER => 2,
            Some(_) => return None,
        };
        Some(&mut self.phases[index].1)
    }

    pub(super) fn report(mut self) -> Outcome {
        let head = [
            "phase", "what", "number", "refused", "p50_us", "p99_us", "p999_us", "max_us",
        ];
        let mut csv = Csv::new(head);
        let mut table = TextTable::new(head);
        for (name, phase) in &mut self.phases {
            let refused = phase.refused;
            let kinds = [
                ("requests", &mut phase.requests, refused),
                ("logins", &mut phase.logins, 0),
            ];
            for (what, latencies, refused) in kinds {
                let row = row(name, what, latencies, refused);
                csv.line(row.clone());
                table.row(row);
            }
        }
        println!("A million sessions expire at once (microseconds):\n\n{table}");
        let [worst] = self.phases[1].1.requests.per_mille([999]);
        let verdict = if worst <= TARGET { "reached" } else { "missed" };
        println!(
            "p99.9 of that second: {} µs (target: ≤ 5000): {verdict}\n",
            Micros(worst)
        );
        Ok(csv.write("expiry.csv")?)
    }
}

fn row(name: &str, what: &str, latencies: &mut Latencies, refused: usize) -> [String; 8] {
    let number = latencies.len().to_string();
    let [p50, p99, p999, max] = latencies.per_mille([500, 990, 999, 1000]);
    let [p50, p99, p999, max] = [p50, p99, p999, max].map(|rank| Micros(rank).to_string());
    let (name, what) = (name.to_owned(), what.to_owned());
    [name, what, number, refused.to_string(), p50, p99, p999, max]
}
