//! The memory of a cached session: counts what is allocated, on one thread.
//!
//! `cargo bench -p peers -- memory`

use std::env;

use peers::memory::Allocated;
use peers::{Outcome, Part, memory};

const ALLOCATED: Allocated = |run| allocation_counter::measure(run).bytes_current;

fn main() -> Outcome {
    if let Some(outcome) = memory::as_started(env::args().skip(1), ALLOCATED) {
        return outcome;
    }
    let parts = Part::wanted(env::args().skip(1))?;
    if parts.contains(&Part::Memory) {
        memory::run(ALLOCATED)?;
    }
    Ok(())
}
