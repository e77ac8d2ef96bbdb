//! Logins a second, next to tower-sessions: the session alone, and the endpoint around it.

use std::error::Error;

use tokio::runtime::Runtime;
use tower_sessions_0_14::MemoryStore as PeersMemoryStore;
use tower_sessions_redis_store::RedisStore as PeersRedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_wx_session::store::{MemoryStore, RedisStore};

use self::row::Row;
use self::way::Way;
use crate::Outcome;
use crate::operations::burst::Burst;
use crate::operations::info;
use crate::redis_server::RedisServer;

mod ours;
mod peer;
mod row;
mod way;

/// How many are in flight, and how many log in during a turn, in memory and in Redis.
const IN_FLIGHT: [(usize, usize, usize); 3] =
    [(1, 2_000, 500), (8, 4_000, 1_500), (64, 8_000, 4_000)];

/// Connections of the peer: as many as ours has, and as many as its documentation opens.
const POOLS: [usize; 2] = [1, 6];

/// How a login is done: ours first, then the peer's ways of doing the same.
struct Job {
    store: String,
    name: &'static str,
    ways: Vec<Way>,
}

pub(crate) fn run() -> Outcome {
    let runtime = Runtime::new()?;
    let server = RedisServer::start(&[])?;
    let (mut table, mut csv) = (row::table(), row::csv());
    for (in_flight, in_memory, in_redis) in IN_FLIGHT {
        let mut measure = |jobs: [Job; 2], times| {
            let burst = Burst { in_flight, times };
            jobs.iter().try_for_each(|job| {
                Row::measure(&runtime, job, burst)?.print(&mut table, &mut csv);
                Ok::<_, Box<dyn Error>>(())
            })
        };
        // New ones in memory, so that no row finds more in them than another.
        measure(runtime.block_on(memory())?, in_memory)?;
        measure(runtime.block_on(redis(&server))?, in_redis)?;
    }
    println!("Logins:\n\n{table}");
    csv.write("logins.csv")?;
    Ok(())
}

async fn memory() -> Result<[Job; 2], Box<dyn Error>> {
    let job = |name, ours, peers| Job {
        store: "memory".to_owned(),
        name,
        ways: vec![ours, peers],
    };
    let peers = PeersMemoryStore::default;
    Ok([
        job(
            "session",
            ours::session(MemoryStore::new()).await?,
            peer::session("peer", peers()),
        ),
        job(
            "endpoint",
            ours::endpoint(MemoryStore::new()).await?,
            peer::endpoint("peer", peers()),
        ),
    ])
}

async fn redis(server: &RedisServer) -> Result<[Job; 2], Box<dyn Error>> {
    let store = info::version(server).await?;
    let ours = || RedisStore::builder(&server.url()).build();
    let mut session = vec![ours::session(ours()?).await?];
    let mut endpoint = vec![ours::endpoint(ours()?).await?];
    for connections in POOLS {
        let name = format!("peer, {connections} connections");
        let config = Config::from_url(&server.url())?;
        let pool = Pool::new(config, None, None, None, connections)?;
        pool.init().await?;
        let peers = PeersRedisStore::new(pool);
        session.push(peer::session(&name, peers.clone()));
        endpoint.push(peer::endpoint(&name, peers));
    }
    let job = |name, ways| Job {
        store: store.clone(),
        name,
        ways,
    };
    Ok([job("session", session), job("endpoint", endpoint)])
}
