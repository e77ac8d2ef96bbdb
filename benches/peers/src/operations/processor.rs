//! What a check takes of the processor where the store answers at once: sessions in memory, one thread,
//! no network.

use std::error::Error;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tower_wx_session::store::MemoryStore;

use super::STAYING;
use super::burst::Burst;
use super::operation::Operation;
use super::users::Users;
use crate::Outcome;
use crate::csv::Csv;
use crate::processor_time::processor_time;
use crate::rounds::Rounds;
use crate::text_table::TextTable;

const ROUNDS: usize = 15;
const BURST: Burst = Burst {
    in_flight: 1,
    times: STAYING,
};

/// As `/proc` calls it.
const THIS_THREAD: &str = "thread-self";

pub(crate) fn run() -> Outcome {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut users = runtime.block_on(Users::first(MemoryStore::new()))?;
    runtime.block_on(users.log_in(STAYING))?;
    runtime.block_on(users.use_all())?;
    let mut operations = [Operation::Load, Operation::Check];
    let micros = Rounds::of(ROUNDS, &mut operations, |operation| {
        let spent = spend(&runtime, &mut users, *operation).expect("sessions in memory");
        spent.as_secs_f64() * 1e6 / STAYING as f64
    });
    let mut table = TextTable::new(["operation", "processor time, µs"]);
    let mut csv = Csv::new(["operation", "processor_us"]);
    for (number, operation) in operations.iter().enumerate() {
        let name = operation.name().to_owned();
        table.row([name.clone(), micros.spread(|row| row[number]).to_string()]);
        csv.line([name, format!("{:.2}", micros.median(number))]);
    }
    println!("What a cold check takes where the store answers at once:\n\n{table}");
    Ok(csv.write("cold_processor.csv")?)
}

fn spend(
    runtime: &Runtime,
    users: &mut Users<MemoryStore>,
    operation: Operation,
) -> Result<Duration, Box<dyn Error>> {
    let turn = runtime.block_on(users.prepare(operation, BURST.times))?;
    let before = processor_time(THIS_THREAD)?;
    runtime.block_on(turn.spend(BURST))?;
    Ok(processor_time(THIS_THREAD)? - before)
}
