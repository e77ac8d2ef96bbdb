//! The rooms of the source: who may use whom, as CONTRIBUTING.md says.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the script on a copy of the source in which one line was put at the head of a file.
fn rooms_with(line: &str, file: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = root.join("target/rooms").join(file.replace('/', "-"));
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(copy.join(".ci")).unwrap();
    fs::copy(root.join(".ci/rooms"), copy.join(".ci/rooms")).unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root.join("src"))
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    let changed = copy.join("src").join(file);
    let text = fs::read_to_string(&changed).unwrap();
    fs::write(&changed, format!("{line}\n{text}")).unwrap();
    Command::new(copy.join(".ci/rooms")).output().unwrap()
}

#[test]
fn no_room_touches_what_it_never_may() {
    let rooms = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/rooms");
    let found = Command::new(&rooms).output().unwrap();
    assert!(found.status.success(), "{found:?}");
}

#[test]
fn a_use_that_may_not_be_is_found() {
    for (line, file) in [
        ("use crate::Session;", "cache/mod.rs"),
        ("use crate::upstream::Upstream;", "cache/link.rs"),
        ("async fn wait() {}", "cache/table.rs"),
        ("use crate::node::Node;", "upstream/mod.rs"),
        ("use super::Node;", "node/keyring.rs"),
        ("use crate::backend::memory::MemoryStore;", "store/feed.rs"),
        ("use crate::cache::Cache;", "sessions/mod.rs"),
        (
            "async fn wait() { std::future::ready(()).await }",
            "node/hit.rs",
        ),
    ] {
        let found = rooms_with(line, file);
        let said = String::from_utf8(found.stdout).unwrap();
        assert!(!found.status.success(), "{line} in {file}");
        assert!(said.starts_with(file), "{line} in {file}: {said}");
    }
}
