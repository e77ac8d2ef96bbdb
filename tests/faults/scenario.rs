//! A row of the matrix: one at a time, with a seed, and a line that says what came of it.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::fleet::Fleet;
use super::history::{Asked, Bounds, quantile, times};
use crate::support::redis::RedisServer;
use crate::support::resp2::RESP2_ONLY;

/// What a node waits for the store by default.
pub const DEADLINE: Duration = Duration::from_millis(250);
/// What the other nodes have while their links live.
pub fn linked() -> Duration {
    within(Duration::from_secs(1))
}

/// For how long a confirmation counts without a link, by default.
pub const UNLINKED: Duration = Duration::from_secs(3);

/// A bound on time. The short form runs beside other work on machines that are shared, so it allows
/// three times as long: it is about what happens, the full form about how fast as well.
pub fn within(bound: Duration) -> Duration {
    bound * scaled(3, 1)
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Whether there is time for all of it: `FAULTS=full`.
pub fn is_full() -> bool {
    std::env::var("FAULTS").is_ok_and(|value| value == "full")
}

/// The one number or the other, for the short form and the full one.
pub fn scaled<T>(short: T, full: T) -> T {
    if is_full() { full } else { short }
}

pub struct Scenario {
    name: &'static str,
    pub dice: Dice,
    _turn: MutexGuard<'static, ()>,
}

impl Scenario {
    pub async fn begin(name: &'static str) -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
        let seed = std::env::var("FAULT_SEED").ok();
        let seed = seed.map_or_else(now, |seed| seed.parse().unwrap());
        Self {
            name,
            dice: Dice(seed),
            _turn: turn,
        }
    }

    /// Says what was measured.
    pub fn measured(&self, what: &str) {
        println!("{}: {what}", self.name);
    }

    /// Says what came of it, and fails if sessions were refused or accepted that must not be.
    pub fn end(&self, fleet: &Fleet, bounds: &Bounds) {
        let history = &fleet.history;
        let all = history.select(|_| true);
        let refused = history.false_relogins();
        let accepted = history.fail_opens(bounds);
        let unavailable = times(&with_status(&all, 503));
        println!(
            "{}: {} requests ({} × 200, {} × 401, {} × 503), p50 {:.1?}, p99 {:.1?}, \
             slowest 503 {:.1?}, false re-logins {}, fail-opens {}, seed {}",
            self.name,
            all.len(),
            with_status(&all, 200).len(),
            with_status(&all, 401).len(),
            unavailable.len(),
            quantile(times(&all), 0.5),
            quantile(times(&all), 0.99),
            quantile(unavailable, 1.0),
            refused.len(),
            accepted.len(),
            self.dice.0,
        );
        assert_eq!(with_status(&all, 0).len(), 0, "a node did not answer");
        assert!(refused.is_empty(), "false re-logins: {refused:?}");
        assert!(accepted.is_empty(), "fail-opens: {accepted:?}");
    }
}

pub fn with_status(asked: &[Asked], status: u16) -> Vec<Asked> {
    let meant = asked.iter().filter(|asked| asked.status == status);
    meant.cloned().collect()
}

/// Fails unless all of these have this status.
#[track_caller]
pub fn all_are(status: u16, asked: &[Asked]) {
    assert!(!asked.is_empty(), "nothing was asked");
    let other = asked.iter().find(|asked| asked.status != status);
    assert!(other.is_none(), "not {status}: {other:?}");
}

/// A server that keeps what it has acknowledged.
pub async fn durable_redis() -> RedisServer {
    RedisServer::start_with(&DURABLE).await
}

/// The same, and it speaks RESP2 only.
pub async fn durable_resp2() -> RedisServer {
    RedisServer::start_with(&[&DURABLE[..], &RESP2_ONLY].concat()).await
}

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

fn now() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
    now.unwrap().as_micros() as u64
}

/// Random numbers that a seed repeats (SplitMix64).
#[derive(Clone, Copy)]
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    pub fn split(&self, number: u64) -> Self {
        Self(self.0 ^ number.wrapping_mul(0xD129_0F38_5A11_3E3B))
    }
}
