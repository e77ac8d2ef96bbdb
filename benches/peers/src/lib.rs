//! What a check of a session costs, next to the other ways to know a user.
//!
//! `cargo bench -p peers` runs every [`Part`]; what each row does is in the README next to this.

use std::error::Error;

mod contender;
mod csv;
mod draw;
mod end_to_end;
mod eviction;
mod expiry;
mod forgetful;
mod latency;
mod logins;
mod machine;
pub mod memory;
mod operations;
mod outage;
mod part;
mod plan;
mod plot;
mod processor_time;
mod record;
mod redis_server;
mod requests;
mod rounds;
mod runtime;
mod scale;
mod steps;
mod stopwatch;
mod stores;
mod table;
mod text_table;
mod threads;
mod user;
mod versions;
mod wrk;

pub use self::part::Part;

/// What a part ends with.
pub type Outcome = Result<(), Box<dyn Error>>;
