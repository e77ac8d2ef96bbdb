//! Sessions in a file and in SQL databases, next to what tower-sessions has for the same database.

use std::env;

use tokio::runtime::Runtime;

use self::candidate::candidates;
use self::database::Database;
use self::file::File;
use self::mariadb::MariaDb;
use self::postgres::Postgres;
use self::row::Row;
use self::size::Size;
use crate::operations::burst::Burst;
use crate::operations::operation::Operation;
use crate::{Outcome, plot};

mod candidate;
mod database;
mod file;
pub(crate) mod first_answer;
mod mariadb;
mod peer;
mod postgres;
mod row;
mod server;
mod size;
mod unprivileged;

/// How many are in flight, and how often it is read and written in a turn: so that turns are about as long.
const IN_FLIGHT: [(usize, usize, usize); 3] = [(1, 400, 100), (8, 1_500, 400), (64, MOST, 1_500)];
/// The most that are done in a turn.
const MOST: usize = 3_000;
/// Logins that come all at once, as after an outage: a node waits 250 ms for each, by default.
const RUSH: Burst = Burst {
    in_flight: 2_000,
    times: 2_000,
};

/// Environment variables that choose a part of it: `DATABASE=file`, `FIGURES=sizes`.
const DATABASE: &str = "DATABASE";
const FIGURES: &str = "FIGURES";

/// How many sessions are kept for sizes.
const SESSIONS: usize = 100_000;
const LONG: usize = 1_000_000;

pub(crate) fn run() -> Outcome {
    let runtime = Runtime::new()?;
    let mut figures = Figures::new();
    figures.measure::<File>(&runtime)?;
    figures.measure::<MariaDb>(&runtime)?;
    // Last: where it is waited for what has expired, it is for an hour.
    figures.measure::<Postgres>(&runtime)?;
    figures.write()
}

/// What goes to files at the end.
struct Figures {
    speeds: crate::csv::Csv,
    sizes: crate::csv::Csv,
    /// Cold checks a second with the most in flight.
    bars: Vec<(String, f64)>,
}

impl Figures {
    fn new() -> Self {
        Self {
            speeds: row::csv(),
            sizes: size::csv(),
            bars: Vec::new(),
        }
    }

    fn measure<D: Database>(&mut self, runtime: &Runtime) -> Outcome {
        if !is_wanted(DATABASE, D::NAME) {
            return Ok(());
        }
        let database = D::start()?;
        let version = runtime.block_on(database.version())?;
        if is_wanted(FIGURES, "speeds") {
            self.speeds(runtime, &database, &version)?;
        }
        if is_wanted(FIGURES, "sizes") {
            self.sizes(runtime, &database, &version)?;
        }
        Ok(())
    }

    fn speeds<D: Database>(&mut self, runtime: &Runtime, database: &D, version: &str) -> Outcome {
        let mut candidates = runtime.block_on(candidates(database, MOST))?;
        let mut table = row::table();
        for operation in Operation::ALL {
            for burst in bursts(operation) {
                let row = Row::measure(runtime, operation, burst, &mut candidates)?;
                row.print(version, &mut table, &mut self.speeds);
                if (operation, burst.times) == (Operation::Check, MOST) {
                    self.bars.extend(row.bars(D::NAME));
                }
            }
        }
        println!("Sessions in {version}:\n\n{table}");
        Ok(())
    }

    fn sizes<D: Database>(&mut self, runtime: &Runtime, database: &D, version: &str) -> Outcome {
        let is_long = env::var("LONG").is_ok_and(|long| long == "1");
        let many = if is_long { LONG } else { SESSIONS };
        let mut table = size::table();
        for size in [
            Size::of_ours(runtime, database, many, is_long)?,
            Size::of_the_peer(runtime, database, many)?,
        ] {
            size.print(version, &mut table, &mut self.sizes);
        }
        println!("{many} sessions in {version}:\n\n{table}");
        Ok(())
    }

    /// What was measured on all databases.
    fn write(&self) -> Outcome {
        if env::var(DATABASE).is_ok() {
            return Ok(());
        }
        if is_wanted(FIGURES, "speeds") {
            self.speeds.write("stores.csv")?;
            plot::stores(&self.bars)?;
        }
        if is_wanted(FIGURES, "sizes") {
            self.sizes.write("sizes.csv")?;
        }
        Ok(())
    }
}

fn bursts(operation: Operation) -> Vec<Burst> {
    let burst = |(in_flight, reads, writes)| Burst {
        in_flight,
        times: if operation.writes() { writes } else { reads },
    };
    let rush = (operation == Operation::Login).then_some(RUSH);
    IN_FLIGHT.into_iter().map(burst).chain(rush).collect()
}

/// Whether the environment asks for that, or for all.
fn is_wanted(variable: &str, name: &str) -> bool {
    env::var(variable).map_or(true, |wanted| name.contains(&wanted))
}
