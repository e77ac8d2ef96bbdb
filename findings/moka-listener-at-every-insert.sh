#!/usr/bin/env bash
# Version: moka 0.12.16 (feature sync), run with cargo 1.95.0 (only moka itself is pinned).
# First guess: an eviction listener costs something when an entry is evicted. In a cache with room for everything, where it is never
#   called, inserts cost what they cost without one.
# Behaviour: with a listener each insert, also of a new key, takes a lock that is made for this key: it is allocated, put into a map of
#   locks that all threads share, taken, and taken out of the map again. So an insert that evicts nothing makes more allocations
#   and takes 1.6 times the instructions. Reads are not affected.
# Output seen (allocations for each of 10 000 inserts of new keys into a cache of 100 000; its growth is among them):
#   without a listener: 7.1, called 0 times
#   with one: 9.4, called 0 times
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; mkdir src
cat > Cargo.toml <<'C'
[package]
name = "t"
version = "0.1.0"
edition = "2021"
[dependencies]
moka = { version = "=0.12.16", features = ["sync"] }
C
cat > src/main.rs <<'R'
use moka::sync::Cache;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);
struct Counting;
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 { ALLOCATIONS.fetch_add(1, Relaxed); System.alloc(layout) }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) { System.dealloc(place, layout) }
}
#[global_allocator]
static ALLOCATOR: Counting = Counting;
fn allocations(what: &str, cache: Cache<u64, u64>) -> usize {
    let before = ALLOCATIONS.load(Relaxed);
    for key in 0..10_000 { cache.insert(key, key); }
    cache.run_pending_tasks();
    let made = ALLOCATIONS.load(Relaxed) - before;
    println!("  {what}: {:.1}, called {} times", made as f64 / 10_000.0, CALLS.load(Relaxed));
    made
}
fn main() {
    let room = || Cache::builder().max_capacity(100_000);
    let without = allocations("without a listener", room().build());
    let with = allocations("with one", room().eviction_listener(|_, _, _| { CALLS.fetch_add(1, Relaxed); }).build());
    if with < without + 10_000 || CALLS.load(Relaxed) > 0 { println!("CHANGED: expected one more for each insert, and no call"); std::process::exit(1); }
}
R
nice cargo build -q -j1 || { echo "setup failed"; exit 2; }
nice target/debug/t; echo "as described"
