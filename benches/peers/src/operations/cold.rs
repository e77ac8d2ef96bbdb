//! Cold checks against concurrency.

use crate::Outcome;
use crate::csv::Csv;
use crate::plot::{self, Curve};
use crate::text_table::TextTable;

/// How many are in flight, and how many a second that comes to.
type Point = (f64, f64);

pub(crate) fn report(checks: &[Point], gets: &[Point]) -> Outcome {
    let mut table = TextTable::new(["in flight", "cold checks a second", "GET", "ratio"]);
    let mut csv = Csv::new(["in_flight", "checks_per_second", "gets_per_second"]);
    for ((in_flight, checks), (_, gets)) in checks.iter().zip(gets) {
        let [checks_text, gets_text] = [checks, gets].map(|rate| format!("{rate:.0}"));
        let ratio = format!("{:.2}", checks / gets);
        table.row([
            in_flight.to_string(),
            checks_text.clone(),
            gets_text.clone(),
            ratio,
        ]);
        csv.line([in_flight.to_string(), checks_text, gets_text]);
    }
    println!("Cold checks by how many are in flight:\n\n{table}");
    csv.write("cold.csv")?;
    plot::cold(&[
        Curve::new("cold check", checks.to_vec()),
        Curve::new("GET", gets.to_vec()),
    ])
}
