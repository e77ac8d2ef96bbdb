//! Cold sessions in a real Redis: checks of tokens that a node has not seen, against plain `GET`s
//! of the same keys over one connection of the same client library.
//!
//! `cargo bench --all-features --bench miss`; with `-- ratios` the ratios only. It starts a server
//! of its own: `redis-server` or `valkey-server` in the path, or what `REDIS_SERVER` names.
#![allow(missing_docs, reason = "made by the macros of criterion")]

mod support;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis::aio::MultiplexedConnection;
use support::client::log_in;
use support::redis::RedisServer;
use support::rounds::Rounds;
use support::{is_measured, print, print_count, scaled};
use tokio::runtime::Runtime;
use tower_wx_session::Sessions;
use tower_wx_session::store::RedisStore;

/// Sessions that a node sees once each.
const SESSIONS: usize = 20_000;
const ROUNDS: usize = 15;
/// How many ask at the same time, and how often in a round: about as long for all.
const CONCURRENCY: [(usize, usize); 2] = [(1, 4000), (64, SESSIONS)];
/// Longer than the default, so that a busy machine is measured and not refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sessions in a server.
struct Cold {
    server: RedisServer,
    store: RedisStore,
    connection: MultiplexedConnection,
    /// Of one more session, which warms nodes up.
    spare: String,
    tokens: Arc<[String]>,
    keys: Arc<[String]>,
    /// What the server needs for a session, its place in the user's index included.
    bytes_per_session: f64,
}

impl Cold {
    /// Used on another node a moment ago, so that this one owes the store no use.
    async fn new(sessions: usize) -> Self {
        let server = RedisServer::start().await;
        let (store, connection) = (server.store(), connect(&server.url()).await);
        let memory = info(&server, "memory", "used_memory").await;
        let mut tokens = log_in(&node(&store), sessions + 1).await;
        let memory = info(&server, "memory", "used_memory").await - memory;
        let keys: Vec<String> = server.client().await.ask(&["KEYS", "wxs:*:s:*"]).await;
        assert!(keys.len() > sessions, "{} keys", keys.len());
        Self {
            server,
            store,
            connection,
            spare: tokens.pop().expect("one more than are asked about"),
            tokens: tokens.into(),
            keys: keys.into(),
            bytes_per_session: memory as f64 / sessions as f64,
        }
    }

    /// The time that so many checks take of a node that has just started.
    async fn check(&self, concurrency: usize, times: usize) -> Duration {
        let mut elapsed = Duration::ZERO;
        for times in batches(times, self.tokens.len()) {
            let sessions = node(&self.store);
            let warm = sessions.check(&self.spare).await;
            warm.expect("a live session");
            let tokens = Arc::clone(&self.tokens);
            elapsed += at_once(concurrency, times, move |which| {
                let (sessions, tokens) = (sessions.clone(), Arc::clone(&tokens));
                async move {
                    let checked = sessions.check(&tokens[which]).await;
                    checked.expect("a live session");
                }
            })
            .await;
        }
        elapsed
    }

    /// The time that so many plain `GET`s take.
    async fn get(&self, concurrency: usize, times: usize) -> Duration {
        let mut elapsed = Duration::ZERO;
        for times in batches(times, self.tokens.len()) {
            let (connection, keys) = (self.connection.clone(), Arc::clone(&self.keys));
            elapsed += at_once(concurrency, times, move |which| {
                let (mut connection, keys) = (connection.clone(), Arc::clone(&keys));
                async move {
                    let mut get = redis::cmd("GET");
                    let asked = get.arg(&keys[which]).query_async(&mut connection).await;
                    let record: Vec<u8> = asked.expect("the server is up");
                    assert!(!record.is_empty());
                }
            })
            .await;
        }
        elapsed
    }

    /// Commands that a cold check sends, those of the node's own affairs included.
    async fn commands_per_check(&self) -> f64 {
        let processed = async || info(&self.server, "stats", "total_commands_processed").await;
        let before = processed().await;
        self.check(64, self.tokens.len()).await;
        (processed().await - before) as f64 / self.tokens.len() as f64
    }
}

/// A number that the server tells of itself.
async fn info(server: &RedisServer, section: &str, name: &str) -> u64 {
    let info: String = server.client().await.ask(&["INFO", section]).await;
    let mut values = info.lines().filter_map(|line| line.split_once(':'));
    let value = values.find_map(|(found, value)| (found == name).then_some(value));
    value
        .and_then(|value| value.trim().parse().ok())
        .expect("a number")
}

async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("a URL");
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let connected = client.get_multiplexed_async_connection_with_config(&patient);
    connected.await.expect("the server is up")
}

/// A node with the default settings, but that it is patient.
fn node(store: &RedisStore) -> Sessions<RedisStore> {
    let builder = Sessions::builder(store.clone()).store_deadline(PATIENCE);
    builder.build().expect("settings that are not zero")
}

/// `times` in parts of at most `most`.
fn batches(times: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..times)
        .step_by(most)
        .map(move |done| (times - done).min(most))
}

/// Asks about each of the first `times`, so many at the same time.
async fn at_once<F: Future<Output = ()> + Send + 'static>(
    concurrency: usize,
    times: usize,
    ask: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Duration {
    let ask = Arc::new(ask);
    let start = Instant::now();
    let workers: Vec<_> = (0..concurrency)
        .map(|number| {
            let ask = Arc::clone(&ask);
            tokio::spawn(async move {
                for which in (number..times).step_by(concurrency) {
                    ask(which).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no panic");
    }
    start.elapsed()
}

fn miss(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let cold = runtime.block_on(Cold::new(scaled(SESSIONS)));
    let mut group = criterion.benchmark_group("miss");
    group.sample_size(20);
    group.throughput(Throughput::Elements(1));
    for (concurrency, _) in CONCURRENCY {
        group.bench_function(format!("check/{concurrency}"), |bencher| {
            let check = |times| runtime.block_on(cold.check(concurrency, times as usize));
            bencher.iter_custom(check);
        });
        group.bench_function(format!("get/{concurrency}"), |bencher| {
            let get = |times| runtime.block_on(cold.get(concurrency, times as usize));
            bencher.iter_custom(get);
        });
    }
    group.finish();
    if is_measured() {
        print_ratios(&runtime, &cold);
    }
}

fn print_ratios(runtime: &Runtime, cold: &Cold) {
    for (concurrency, times) in CONCURRENCY {
        let rounds = Rounds::of(ROUNDS, &mut [0, 1], |which| {
            let elapsed = match *which {
                0 => runtime.block_on(cold.check(concurrency, times)),
                _ => runtime.block_on(cold.get(concurrency, times)),
            };
            times as f64 / elapsed.as_secs_f64()
        });
        let what = format!("cold checks per second against GETs, {concurrency} at once");
        let ratio = rounds.spread(|rates| rates[0] / rates[1]);
        print(&what, &ratio, "≥ 0.8");
    }
    let commands = runtime.block_on(cold.commands_per_check());
    print_count("commands per cold check", commands, "1");
    print_count(
        "bytes of the server's memory per session",
        cold.bytes_per_session,
        "none",
    );
}

criterion_group!(benches, miss);
criterion_main!(benches);
