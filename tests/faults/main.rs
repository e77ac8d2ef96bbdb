//! Faults made for real: nodes killed, and the servers of their stores killed, stopped, slow, unreachable or
//! wrong, while clients go on.
//!
//! The nodes are example servers in processes of their own, unless a scenario needs settings that
//! these do not have. `./test faults` runs all of it, `./test` a short form, `cargo test` only
//! the tests of the checker. `FAULT_SEED`
//! repeats a run's choices, `FAULT_ROUNDS` says how many races are run.
#![cfg(all(
    unix,
    feature = "axum",
    feature = "file",
    feature = "metrics",
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "test-util",
    feature = "tracing",
    feature = "wechat"
))]
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it has measured"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod answers;
mod clients;
#[cfg(target_os = "linux")]
mod clocks;
mod crashes;
mod file;
mod fleet;
mod history;
mod load;
mod mariadb;
mod matrix;
mod network;
mod outage;
mod postgres;
mod proxy;
mod races;
mod resp2;
mod revocation;
mod scenario;
mod server;
mod slots;
mod users;

#[path = "../support/mod.rs"]
mod support;
