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

/// How many are in flight, and how many log in during a turn.
const IN_FLIGHT: [(usize, usize); 3] = [(1, 2_000), (8, 4_000), (64, 8_000)];

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
    for (in_flight, times) in IN_FLIGHT {
        let burst = Burst { in_flight, times };
        // New ones in memory, so that no row finds more in them than another.
        let mut jobs = Vec::from(runtime.block_on(in_memory())?);
        jobs.extend(runtime.block_on(in_redis(&server))?);
        for job in &jobs {
            Row::measure(&runtime, job, burst)?.print(&mut table, &mut csv);
        }
    }
    println!("Logins:\n\n{table}");
    csv.write("logins.csv")?;
    Ok(())
}

async fn in_memory() -> Result<[Job; 2], Box<dyn Error>> {
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

async fn in_redis(server: &RedisServer) -> Result<[Job; 2], Box<dyn Error>> {
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
