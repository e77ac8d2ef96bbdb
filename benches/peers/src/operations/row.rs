use std::error::Error;
use std::time::Duration;

use tokio::runtime::Runtime;
use tower_wx_session::store::RedisStore;

use super::burst::{Burst, Spent};
use super::operation::Operation;
use super::plain::Plain;
use super::users::Users;
use crate::csv::Csv;
use crate::redis_server::RedisServer;
use crate::rounds::Rounds;
use crate::text_table::TextTable;

const ROUNDS: usize = 15;

const OURS: usize = 0;
const PLAIN: usize = 1;

/// An operation beside the plain command that it is compared with: ours first.
pub(crate) struct Row {
    operation: Operation,
    in_flight: usize,
    /// How many a second.
    rates: Rounds,
    /// What one takes of the server's processor, in microseconds.
    server: [f64; 2],
}

pub(crate) fn table() -> TextTable {
    TextTable::new([
        "operation",
        "in flight",
        "a second",
        "against",
        "a second",
        "ratio",
        "server µs",
        "against",
    ])
}

pub(crate) fn csv() -> Csv {
    Csv::new([
        "server",
        "operation",
        "in_flight",
        "per_second",
        "plain",
        "plain_per_second",
        "ratio",
        "server_us",
        "plain_server_us",
    ])
}

impl Row {
    pub(crate) fn measure(
        runtime: &Runtime,
        server: &RedisServer,
        operation: Operation,
        burst: Burst,
        users: &mut Users<RedisStore>,
        plain: &Plain,
    ) -> Self {
        let mut processor = [Duration::ZERO; 2];
        let rates = Rounds::of(ROUNDS, &mut [OURS, PLAIN], |which| {
            let spent = runtime.block_on(async {
                match *which {
                    OURS => {
                        let turn = users.prepare(operation, burst.times).await?;
                        watched(server, turn.spend(burst)).await
                    }
                    _ => watched(server, plain.spend(operation.plain(), burst)).await,
                }
            });
            let (spent, of_the_server) = spent.expect("the server is up");
            processor[*which] += of_the_server;
            spent.rate()
        });
        // One round more was spent than is in the rates.
        let times = (ROUNDS + 1) * burst.times;
        Self {
            operation,
            in_flight: burst.in_flight,
            rates,
            server: processor.map(|spent| spent.as_secs_f64() * 1e6 / times as f64),
        }
    }

    /// How many a second: of ours, and of the plain command.
    pub(crate) fn rates(&self) -> [f64; 2] {
        [OURS, PLAIN].map(|which| self.rates.median(which))
    }

    pub(crate) fn print(&self, version: &str, table: &mut TextTable, csv: &mut Csv) {
        let ratio = self.rates.spread(|row| row[OURS] / row[PLAIN]);
        let [ours, plain] = [OURS, PLAIN].map(|which| format!("{:.0}", self.rates.median(which)));
        let [server, plain_server] = self.server.map(|micros| format!("{micros:.1}"));
        let operation = self.operation.name().to_owned();
        let command = self.operation.plain().name().to_owned();
        let in_flight = self.in_flight.to_string();
        table.row([
            operation.clone(),
            in_flight.clone(),
            ours.clone(),
            command.clone(),
            plain.clone(),
            ratio.to_string(),
            server.clone(),
            plain_server.clone(),
        ]);
        csv.line([
            version.to_owned(),
            operation,
            in_flight,
            ours,
            command,
            plain,
            format!("{:.3}", ratio.median()),
            server,
            plain_server,
        ]);
    }
}

/// What is spent, and what of the server's processor.
async fn watched(
    server: &RedisServer,
    spending: impl Future<Output = Result<Spent, Box<dyn Error>>>,
) -> Result<(Spent, Duration), Box<dyn Error>> {
    let before = server.processor_time()?;
    let spent = spending.await?;
    Ok((spent, server.processor_time()? - before))
}
