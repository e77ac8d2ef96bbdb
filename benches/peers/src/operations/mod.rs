//! What operations cost that talk to Redis, next to a plain `GET` or `SET` of the same size over one
//! connection of the same client library.

use std::error::Error;
use std::time::Duration;

use tokio::runtime::Runtime;
use tower_wx_session::store::RedisStore;

use self::burst::Burst;
use self::operation::Operation;
use self::plain::Plain;
use self::row::Row;
use self::users::Users;
use crate::Outcome;
use crate::redis_server::RedisServer;

pub(crate) mod burst;
mod cold;
pub(crate) mod info;
pub(crate) mod operation;
mod plain;
pub(crate) mod processor;
mod row;
mod turn;
pub(crate) mod users;

/// How many are in flight, and how often each is done in a turn: so that turns are about as long.
const IN_FLIGHT: [(usize, usize); 3] = [(1, 1_000), (8, 3_000), (64, MOST)];
/// The most that are done in a turn.
const MOST: usize = 6_000;
/// Sessions that stay.
const STAYING: usize = 20_000;
/// Longer than the default, so that a busy machine is measured and not refused.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run() -> Outcome {
    let server = RedisServer::start(&[])?;
    let runtime = Runtime::new()?;
    let version = runtime.block_on(info::version(&server))?;
    let store = RedisStore::builder(&server.url()).build()?;
    let mut users = runtime.block_on(Users::first(store))?;
    let bytes_each = runtime.block_on(log_in(&mut users, &server))?;
    let mut plain = runtime.block_on(Plain::connect(&server))?;
    runtime.block_on(plain.fill(MOST))?;
    let (mut table, mut csv) = (row::table(), row::csv());
    for operation in Operation::ALL {
        for (in_flight, times) in IN_FLIGHT {
            let burst = Burst { in_flight, times };
            let row = Row::measure(&runtime, &server, operation, burst, &mut users, &plain);
            row.print(&version, &mut table, &mut csv);
        }
    }
    println!("Operations on {version} against plain commands:\n\n{table}");
    println!("A session takes {} B of its memory.\n", bytes_each);
    csv.write("redis.csv")?;
    cold::run(&runtime, &server, &version, &mut users, &plain)
}

/// Has those log in who stay; what the server needs for a session, its place in the user's index
/// included.
async fn log_in(
    users: &mut Users<RedisStore>,
    server: &RedisServer,
) -> Result<usize, Box<dyn Error>> {
    let before = info::memory(server).await?;
    users.log_in(STAYING).await?;
    let bytes_each = (info::memory(server).await? - before) / STAYING;
    users.use_all().await?;
    Ok(bytes_each)
}
