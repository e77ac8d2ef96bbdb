use std::error::Error;

use tokio::runtime::Runtime;

use super::candidate::Candidate;
use crate::csv::Csv;
use crate::latency::{Latencies, Micros};
use crate::operations::burst::Burst;
use crate::operations::operation::Operation;
use crate::rounds::Rounds;
use crate::text_table::TextTable;

const ROUNDS: usize = 7;

const OURS: usize = 0;

/// How many times the peer's rate ours has to be.
const CHECKS: f64 = 2.0;
const WRITES: f64 = 1.0;

/// An operation by each of the candidates.
pub(crate) struct Row {
    operation: Operation,
    in_flight: usize,
    /// How many a second.
    rates: Rounds,
    /// Of each candidate, its name and what 990 of a thousand do not exceed.
    candidates: Vec<(String, Micros)>,
}

pub(crate) fn table() -> TextTable {
    TextTable::new([
        "operation",
        "in flight",
        "a second",
        "p99 µs",
        "against",
        "a second",
        "p99 µs",
        "ratio",
        "target",
        "",
    ])
}

pub(crate) fn csv() -> Csv {
    Csv::new([
        "database",
        "operation",
        "in_flight",
        "per_second",
        "p99_us",
        "against",
        "against_per_second",
        "against_p99_us",
        "ratio",
        "target",
    ])
}

impl Row {
    pub(crate) fn measure(
        runtime: &Runtime,
        operation: Operation,
        burst: Burst,
        candidates: &mut [Candidate],
    ) -> Result<Self, Box<dyn Error>> {
        let mut latencies = vec![Latencies::default(); candidates.len()];
        let mut failure = None;
        let mut turns: Vec<_> = candidates.iter_mut().zip(&mut latencies).collect();
        let rates = Rounds::of(ROUNDS, &mut turns, |(candidate, latencies)| {
            match runtime.block_on(candidate.spend(operation, burst)) {
                Ok(spent) => {
                    let rate = spent.rate();
                    latencies.append(spent.latencies);
                    rate
                }
                Err(error) => {
                    failure.get_or_insert(format!("{}: {error}", candidate.name));
                    f64::NAN
                }
            }
        });
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        let names = candidates.iter().map(|candidate| candidate.name.clone());
        let p99 = latencies
            .iter_mut()
            .map(|of| Micros(of.per_mille([990])[0]));
        Ok(Self {
            operation,
            in_flight: burst.in_flight,
            rates,
            candidates: names.zip(p99).collect(),
        })
    }

    /// A line for each of the others.
    pub(crate) fn print(&self, version: &str, table: &mut TextTable, csv: &mut Csv) {
        for against in OURS + 1..self.candidates.len() {
            let ratio = self.rates.spread(|row| row[OURS] / row[against]);
            let cells = self.cells(against);
            let target = self.target();
            let verdict = target.map_or("", |target| match ratio.median() >= target {
                true => "reached",
                false => "missed",
            });
            let [operation, in_flight, ours, p99, name, theirs, their_p99] = cells.clone();
            table.row([
                operation,
                in_flight,
                ours,
                p99,
                name,
                theirs,
                their_p99,
                ratio.to_string(),
                target
                    .map(|target| format!("≥ {target:.1}"))
                    .unwrap_or_default(),
                verdict.to_owned(),
            ]);
            let [operation, in_flight, ours, p99, name, theirs, their_p99] = cells;
            csv.line([
                version.to_owned(),
                operation,
                in_flight,
                ours,
                p99,
                name.replace(',', ""),
                theirs,
                their_p99,
                format!("{:.3}", ratio.median()),
                target.map(|target| target.to_string()).unwrap_or_default(),
            ]);
        }
    }

    fn cells(&self, against: usize) -> [String; 7] {
        let rate = |which| format!("{:.0}", self.rates.median(which));
        let (name, their_p99) = &self.candidates[against];
        [
            self.operation.name().to_owned(),
            self.in_flight.to_string(),
            rate(OURS),
            self.candidates[OURS].1.to_string(),
            name.clone(),
            rate(against),
            their_p99.to_string(),
        ]
    }

    /// A rotation has none: the peer's is a delete and a create, and not one operation.
    const fn target(&self) -> Option<f64> {
        match self.operation {
            Operation::Load | Operation::Check => Some(CHECKS),
            Operation::Login | Operation::Use | Operation::Logout => Some(WRITES),
            Operation::Rotation => None,
        }
    }

    /// How many a second, by ours and by the first of the others.
    pub(crate) fn bars(&self, database: &str) -> [(String, f64); 2] {
        let bar = |which, name| (format!("{database}, {name}"), self.rates.median(which));
        [bar(OURS, "ours"), bar(OURS + 1, "peer")]
    }
}
