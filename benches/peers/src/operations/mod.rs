//! What operations cost that talk to Redis, next to a plain `GET` or `SET` of the same size over one
//! connection of the same client library.

use std::time::Duration;

use tokio::runtime::Runtime;

use self::burst::Burst;
use self::operation::Operation;
use self::plain::Plain;
use self::row::Row;
use self::users::Users;
use crate::Outcome;
use crate::redis_server::RedisServer;

mod burst;
mod info;
mod operation;
mod plain;
mod row;
mod turn;
mod users;

/// How many are in flight, and how often each is done in a turn: so that turns are about as long.
const IN_FLIGHT: [(usize, usize); 3] = [(1, 1_000), (8, 3_000), (64, MOST)];
/// The most that are done in a turn.
const MOST: usize = 6_000;
/// Longer than the default, so that a busy machine is measured and not refused.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run() -> Outcome {
    let server = RedisServer::start(&[])?;
    let runtime = Runtime::new()?;
    let version = runtime.block_on(info::version(&server))?;
    let mut users = runtime.block_on(Users::log_in(&server))?;
    let mut plain = runtime.block_on(Plain::connect(&server))?;
    runtime.block_on(plain.fill(&server, MOST))?;
    let (mut table, mut csv) = (row::table(), row::csv());
    for operation in Operation::ALL {
        for (in_flight, times) in IN_FLIGHT {
            let burst = Burst {
                server: &server,
                in_flight,
                times,
            };
            let row = Row::measure(&runtime, operation, burst, &mut users, &plain);
            row.print(&version, &mut table, &mut csv);
        }
    }
    println!("Operations on {version} against plain commands:\n\n{table}");
    println!("A session takes {} B of its memory.\n", users.bytes_each);
    csv.write("redis.csv")?;
    Ok(())
}
