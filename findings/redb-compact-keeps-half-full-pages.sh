#!/usr/bin/env bash
# Version: redb 2.6.4, run with cargo 1.95.0 (only redb itself is pinned).
# First guess: compact() makes the file as small as what is in it, as VACUUM does in SQLite; if not that, then a copy into a new
#   file, in the order of the keys, where no page has to be split to put something in the middle.
# Behaviour: compact() moves pages, it does not fill them. Where every second of 200 000 records is removed, in the order of
#   the keys, it leaves three times what is stored; called again it says false: nothing to do. A sorted copy is smaller and
#   still takes twice what is stored: a full page is split in the middle, and what comes in order never comes back to the left
#   half. A copy with three of each five records first, and then the other two, has full pages. stats() of a table tells it:
#   fragmented_bytes as large as stored_bytes means pages that are half full, and compact() does not change them.
# Output seen (disk: the blocks that the file has; kB of 1000 bytes, and vary by a few; key of 8 bytes, value of 100):
#   200 000 records in order: disk 45432 kB, stored 21600 kB, lost in the pages 21002 kB
#   every second removed: disk 47988 kB, stored 10800 kB, lost in the pages 10155 kB
#   compact() says true: disk 33603 kB, stored 10800 kB, lost in the pages 10155 kB
#   compact() says false: disk 33603 kB, stored 10800 kB, lost in the pages 10155 kB
#   sorted copy: disk 23506 kB, stored 10800 kB, lost in the pages 10496 kB
#   copy, three of five first: disk 14749 kB, stored 10800 kB, lost in the pages 1820 kB
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; mkdir src
cat > Cargo.toml <<'C'
[package]
name = "t"
version = "0.1.0"
edition = "2024"
[dependencies]
redb = "=2.6.4"
C
cat > src/main.rs <<'R'
use std::os::unix::fs::MetadataExt;

use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");
const RECORDS: u64 = 200_000;

/// Not of one byte only, so that a file system that compresses has nothing to gain.
fn value(key: u64) -> Vec<u8> {
    let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(key), next).skip(3).take(100).map(|state| (state >> 56) as u8).collect()
}

/// Whether the disk has so many times what is stored.
fn row(name: &str, file: &str, expected: std::ops::Range<f64>) -> bool {
    let database = Database::open(file).unwrap();
    let stats = database.begin_read().unwrap().open_table(TABLE).unwrap().stats().unwrap();
    drop(database);
    let disk = std::fs::metadata(file).unwrap().blocks() * 512;
    let (stored, lost) = (stats.stored_bytes(), stats.fragmented_bytes());
    println!("  {name}: disk {} kB, stored {} kB, lost in the pages {} kB", disk / 1000, stored / 1000, lost / 1000);
    let as_seen = expected.contains(&(disk as f64 / stored as f64));
    if !as_seen {
        println!("CHANGED: {name}: expected {expected:?} times what is stored");
    }
    as_seen
}

fn compact(file: &str) -> bool {
    Database::open(file).unwrap().compact().unwrap()
}

fn copy(from: &str, to: &str, passes: &[&[usize]]) {
    let (from, to) = (Database::open(from).unwrap(), Database::create(to).unwrap());
    let (reading, writing) = (from.begin_read().unwrap(), to.begin_write().unwrap());
    let (source, mut sink) = (reading.open_table(TABLE).unwrap(), writing.open_table(TABLE).unwrap());
    for pass in passes {
        for (number, entry) in source.iter().unwrap().enumerate() {
            let (key, value) = entry.unwrap();
            if pass.contains(&(number % 5)) {
                sink.insert(key.value(), value.value()).unwrap();
            }
        }
    }
    drop(sink);
    writing.commit().unwrap();
}

fn main() {
    let database = Database::create("file").unwrap();
    for round in 0..20 {
        let writing = database.begin_write().unwrap();
        let mut table = writing.open_table(TABLE).unwrap();
        for key in (0..RECORDS / 20).map(|key| round * RECORDS / 20 + key) {
            table.insert(key, value(key).as_slice()).unwrap();
        }
        drop(table);
        writing.commit().unwrap();
    }
    drop(database);
    let mut rows = vec![row("200 000 records in order", "file", 1.9..2.6)];
    let database = Database::open("file").unwrap();
    for round in 0..20 {
        let writing = database.begin_write().unwrap();
        let mut table = writing.open_table(TABLE).unwrap();
        for key in (0..RECORDS / 20).step_by(2).map(|key| round * RECORDS / 20 + key) {
            table.remove(key).unwrap();
        }
        drop(table);
        writing.commit().unwrap();
    }
    drop(database);
    rows.push(row("every second removed", "file", 3.9..5.2));
    for expected in [true, false] {
        let said = compact("file");
        rows.push(row(&format!("compact() says {said}"), "file", 2.7..3.9) && said == expected);
    }
    copy("file", "sorted", &[&[0, 1, 2, 3, 4]]);
    rows.push(row("sorted copy", "sorted", 1.9..2.5));
    copy("file", "filled", &[&[0, 2, 4], &[1, 3]]);
    rows.push(row("copy, three of five first", "filled", 1.1..1.5));
    std::process::exit(if rows.iter().all(|as_seen| *as_seen) { 0 } else { 1 });
}
R
nice cargo build -q -j1 || { echo "setup failed"; exit 2; }
nice target/debug/t; echo "as described"
