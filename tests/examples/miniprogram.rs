//! The client for mini programs, by Node's own test runner; see `tests/miniprogram`.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::support::process::command;

/// What `./test` has installed.
fn node_modules() -> OsString {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/node/node_modules");
    let modules = std::env::var_os("NODE_MODULES").unwrap_or_else(|| folder.into());
    assert!(
        Path::new(&modules).join("miniprogram-simulate").exists(),
        "{} is missing or old: run ./test once, which installs it, or set NODE_MODULES",
        modules.display()
    );
    modules
}

#[track_caller]
fn pass(files: &[&str]) {
    run("miniprogram", files);
}

/// Runs the tests of these files, in a folder of `tests`, against the example server.
#[track_caller]
pub fn run(folder: &str, files: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let paths = files
        .iter()
        .map(|file| folder.join(format!("{file}.test.js")));
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap"]).args(paths);
    node.env("NODE_PATH", node_modules());
    node.env("EXAMPLE_AXUM", command("axum", &[]).get_program());
    let run = node.output().expect("node is installed");
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}");
    let count = |what: &str| -> usize {
        let line = told.lines().find_map(|line| line.strip_prefix(what));
        line.and_then(|count| count.trim().parse().ok()).unwrap()
    };
    // A file without any test passes as a test with the name of the file.
    assert!(!told.contains("# Subtest: /"), "{told}");
    assert!(count("# tests ") >= files.len(), "{told}");
    assert_eq!(count("# skipped "), 0, "{told}");
}

#[test]
fn the_mini_program_client_does_what_each_answer_asks_for() {
    pass(&["adapters", "answer", "device", "login", "request", "socket"]);
}

#[test]
fn the_mini_program_client_logs_in_once_on_every_platform_with_every_preset() {
    pass(&["platforms", "server"]);
}

#[test]
fn the_mini_program_works_with_the_example_server() {
    pass(&["program"]);
}

#[test]
fn the_mini_program_client_breaks_no_rule_in_thousands_of_random_lives() {
    pass(&["model"]);
}

#[test]
fn the_mini_program_client_is_packed_as_it_is_described() {
    pass(&["package"]);
}
