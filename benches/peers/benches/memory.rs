//! The memory of a cached session: counts what is allocated, on one thread.
//!
//! `cargo bench -p peers -- memory`

use std::env;

use peers::{Outcome, Part, memory};

fn main() -> Outcome {
    let parts = Part::wanted(env::args().skip(1))?;
    if parts.contains(&Part::Memory) {
        memory::run(|allocate| allocation_counter::measure(allocate).bytes_current)?;
    }
    Ok(())
}
