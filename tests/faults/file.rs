//! Sessions in a file: the node that has it is killed, and its clock is wrong.

use std::fs;
use std::path::PathBuf;

use tower_wx_session::store::{AnyStore, FileStore};

use super::fleet::Fleet;
use super::history::Bounds;
use super::scenario::{Scenario, linked};
use super::{crashes, races};
use crate::support::redis;

/// A file that goes with the test.
struct Sessions(PathBuf);

impl Sessions {
    fn new() -> Self {
        Self(redis::directory())
    }

    fn path(&self) -> PathBuf {
        self.0.join("sessions.redb")
    }

    /// As `STORE` names it.
    fn name(&self) -> String {
        format!("file:{}", self.path().display())
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn what_was_acknowledged_outlives_the_process() {
    let scenario = Scenario::begin("process with a file killed in mid-write").await;
    let file = Sessions::new();
    crashes::nodes_die(scenario, &[&file.name()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn nothing_brings_a_revoked_session_back() {
    let scenario = Scenario::begin("F8 races, file").await;
    let file = Sessions::new();
    let store = AnyStore::new(FileStore::open(file.path()).unwrap());
    races::race_on(&scenario, || store.clone()).await;
}

/// What is set back between two runs ends nobody and revives nobody; an hour ahead is an hour's pause.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_clock_that_is_wrong_in_some_runs() {
    use super::clocks;
    use crate::support::wrong_clock::WrongClock;

    let scenario = Scenario::begin("F12 clock jumps between runs, file").await;
    let (file, clock) = (Sessions::new(), WrongClock::new(redis::directory()));
    let mut fleet = Fleet::start(&[]).await;
    let node = clocks::node(&file.name(), &clock, &[]).await;
    fleet.nodes.push(node);
    let sessions = fleet.log_in(0, 20).await;
    let (over, live) = (0..5, 5..sessions.end);
    for session in over.clone() {
        fleet.end(0, session).await;
    }
    for hours in [-1, 0, -24, 1] {
        run_again(&fleet, &clock, hours).await;
        for session in over.clone() {
            assert_eq!(fleet.ask(0, session).await, 401, "{hours} h");
        }
        fleet.get_known(&[0], live.clone()).await;
        assert_eq!(fleet.try_login(0, &format!("new:{hours}")).await, 200);
    }
    scenario.end(&fleet, &Bounds::others_within(linked()));
    // Nobody was there for longer than the idle timeout, and that is so when the clock is right again.
    for hours in [4, 0] {
        run_again(&fleet, &clock, hours).await;
        for session in live.clone() {
            let refusal = (401, "session_idle_expired".to_owned());
            assert_eq!(fleet.refusal(0, session).await, refusal, "{hours} h");
        }
    }
}

#[cfg(target_os = "linux")]
async fn run_again(fleet: &Fleet, clock: &crate::support::wrong_clock::WrongClock, hours: i32) {
    fleet.nodes[0].kill();
    clock.set_hours(hours);
    fleet.nodes[0].restart().await;
}
