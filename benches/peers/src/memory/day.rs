//! What a node holds after a day of bursts, beside one that only ever had the sessions that are
//! active in the evening: two processes of their own.
//!
//! A burst is a user each who logs in and does not come again. What nobody uses leaves the cache by
//! age: after a minute of real time, which is moka's, so the end of the day takes longer than that.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use tokio::time::sleep;
use tower_wx_session::Sessions;

use super::{Allocated, Forgetful, TextTable, here, log_in, ours, tokens};
use crate::Outcome;
use crate::requests::Credentials;

/// The argument of a process that is such a node.
const NODE: &str = "memory-of-a-node";

const BURSTS: usize = 5;
/// The default capacity of the cache: each burst fills it anew.
const BURST: usize = 200_000;
const ACTIVE: usize = 20_000;
/// More than the minute after which a session that was not used is of no use, and the five seconds
/// in which a node looks for those.
const EVENING: Duration = Duration::from_secs(75);
const BETWEEN_USES: Duration = Duration::from_secs(5);
/// The store answers at once, but a machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes, of a process.
#[derive(Debug)]
struct Held {
    allocated: i64,
    resident: i64,
}

/// Runs both, side by side.
pub(super) fn run() -> Outcome {
    let nodes = [BURSTS, 0].map(start);
    let mut held = Vec::new();
    for node in nodes {
        held.push(Held::read(node?)?);
    }
    let mut table = TextTable::new(["of a node", "after the bursts", "without them", "ratio"]);
    let mut row = |name: &str, of: fn(&Held) -> i64| {
        let [after, without] = [of(&held[0]) as f64, of(&held[1]) as f64];
        let mega = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
        let ratio = format!("{:.2}", after / without);
        table.row([name.to_owned(), mega(after), mega(without), ratio]);
    };
    row("allocated", |held| held.allocated);
    row("resident", |held| held.resident);
    println!("{BURSTS} bursts of {BURST} sessions, {ACTIVE} active at the end (target: ≤ 2):\n");
    println!("{table}");
    Ok(())
}

fn start(bursts: usize) -> io::Result<Child> {
    let mut node = Command::new(env::current_exe()?);
    node.args([NODE, &bursts.to_string()]);
    node.stdout(Stdio::piped()).spawn()
}

impl Held {
    fn read(node: Child) -> Result<Self, Box<dyn std::error::Error>> {
        let output = node.wait_with_output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut numbers = text.split_whitespace().map(str::parse);
        let mut next = || numbers.next().ok_or("the node has said too little");
        Ok(Self {
            allocated: next()??,
            resident: next()??,
        })
    }
}

/// Is the node that [`run`] has started, if the arguments say so.
pub fn as_started(
    mut arguments: impl Iterator<Item = String>,
    allocated: Allocated,
) -> Option<Outcome> {
    let is_node = arguments.next()? == NODE;
    let bursts = arguments.next()?.parse().ok()?;
    is_node.then(|| be_a_node(bursts, allocated))
}

fn be_a_node(bursts: usize, allocated: Allocated) -> Outcome {
    let active = tokens(ACTIVE);
    let mut node = None;
    let allocated = allocated(&mut || {
        let builder = Sessions::builder(Forgetful::answering()).store_deadline(PATIENCE);
        let sessions = builder.build().expect("settings that go together");
        here(async {
            for _ in 0..bursts {
                ours::use_once(&sessions, &active).await;
                log_in(&sessions, BURST).await;
            }
            keep_in_use(&sessions, &active).await;
        });
        node = Some(sessions);
    });
    println!("{allocated} {}", resident()?);
    drop(node);
    Ok(())
}

async fn keep_in_use(sessions: &Sessions<Forgetful>, active: &Credentials) {
    let began = Instant::now();
    while began.elapsed() < EVENING {
        ours::use_once(sessions, active).await;
        sleep(BETWEEN_USES).await;
    }
}

/// What the process has in memory.
fn resident() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let kibibytes = kibibytes.ok_or_else(|| io::Error::other("no VmRSS in the status"));
    kibibytes.map(|kibibytes| 1024 * kibibytes)
}
