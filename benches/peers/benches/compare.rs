//! Everything but memory, which is measured by the program next to this one.
//!
//! `cargo bench -p peers`, or a part of it: `cargo bench -p peers -- table`

use std::env;

use peers::{Outcome, Part};

fn main() -> Outcome {
    if let Some(done) = Part::as_started(env::args().skip(1)) {
        return done;
    }
    let parts = Part::wanted(env::args().skip(1))?;
    if parts != [Part::Memory] {
        Part::introduce();
    }
    parts.into_iter().try_for_each(Part::run)
}
