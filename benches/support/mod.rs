//! What several benches share.
#![allow(dead_code, unreachable_pub, reason = "each bench uses its own part")]
#![allow(clippy::print_stdout, reason = "the figures are the output of a bench")]

pub mod client;
pub mod request;
#[path = "../peers/src/rounds.rs"]
pub mod rounds;
pub mod service;

/// Whether to measure: `cargo bench` says `--bench`, and `cargo test --benches` does not.
pub fn is_measured() -> bool {
    let says = |word| std::env::args().any(|argument| argument == word);
    says("--bench") && !says("--test")
}

/// A size to measure, or a small one where it is only to be seen that a bench runs.
pub fn scaled(size: usize) -> usize {
    if is_measured() { size } else { size.min(1000) }
}

/// Prints a row of the table of ratios.
pub fn print(what: &str, ratio: &rounds::Spread, target: &str) {
    println!("{what:<58} {ratio}  target {target}");
}
