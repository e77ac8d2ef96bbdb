use std::error::Error;

use tokio::runtime::Runtime;

use super::Job;
use crate::csv::Csv;
use crate::operations::burst::Burst;
use crate::rounds::Rounds;
use crate::text_table::TextTable;

const ROUNDS: usize = 15;

const OURS: usize = 0;

/// How many times the peer's rate ours has to be.
const TARGET: f64 = 1.0;

/// Logins a second, by each of the ways of doing a job.
pub(super) struct Row<'a> {
    job: &'a Job,
    in_flight: usize,
    rates: Rounds,
}

pub(super) fn table() -> TextTable {
    TextTable::new([
        "login",
        "store",
        "in flight",
        "a second",
        "against",
        "a second",
        "ratio",
        "target",
        "",
    ])
}

pub(super) fn csv() -> Csv {
    Csv::new([
        "login",
        "store",
        "in_flight",
        "per_second",
        "against",
        "against_per_second",
        "ratio",
    ])
}

impl<'a> Row<'a> {
    pub(super) fn measure(
        runtime: &Runtime,
        job: &'a Job,
        burst: Burst,
    ) -> Result<Self, Box<dyn Error>> {
        let mut failure = None;
        let mut turns: Vec<_> = job.ways.iter().map(|way| (way, 0)).collect();
        let rates = Rounds::of(ROUNDS, &mut turns, |(way, known)| {
            let spent = runtime.block_on(way.spend(*known, burst));
            *known += burst.times;
            spent.map_or_else(
                |error| {
                    failure = Some(error);
                    f64::NAN
                },
                |spent| spent.rate(),
            )
        });
        failure.map_or(Ok(()), Err)?;
        Ok(Self {
            job,
            in_flight: burst.in_flight,
            rates,
        })
    }

    /// A line for each of the others.
    pub(super) fn print(&self, table: &mut TextTable, csv: &mut Csv) {
        for (against, way) in self.job.ways.iter().enumerate().skip(OURS + 1) {
            let ratio = self.rates.spread(|row| row[OURS] / row[against]);
            let [ours, theirs] =
                [OURS, against].map(|which| format!("{:.0}", self.rates.median(which)));
            let is_reached = ratio.median() >= TARGET;
            let job = self.job.name.to_owned();
            let store = self.job.store.clone();
            let in_flight = self.in_flight.to_string();
            table.row([
                job.clone(),
                store.clone(),
                in_flight.clone(),
                ours.clone(),
                way.name.clone(),
                theirs.clone(),
                ratio.to_string(),
                format!("≥ {TARGET:.1}"),
                if is_reached { "reached" } else { "missed" }.to_owned(),
            ]);
            csv.line([
                job,
                store,
                in_flight,
                ours,
                way.name.replace(',', ""),
                theirs,
                format!("{:.3}", ratio.median()),
            ]);
        }
    }
}
