//! Request libraries of the field in front of the example: what they do is what the guide says.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::command;

const GUIDE: &str = include_str!("../../src/guide/clients.md");

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The packages that `./test` has installed.
fn packages() -> PathBuf {
    let packages = folder("target/clients/node_modules");
    let missing = "the clients are missing: run ./test once, which installs them";
    assert!(packages.exists(), "{missing}");
    packages
}

/// The table of the guide: from its head to the next line that is no row.
fn table() -> String {
    let from_head = GUIDE
        .lines()
        .skip_while(|line| !line.starts_with("| client "));
    let rows = from_head.take_while(|line| line.starts_with('|'));
    rows.fold(String::new(), |table, row| table + row + "\n")
}

/// What is between the two marks of each file: what a user writes.
fn configurations() -> Vec<(PathBuf, String)> {
    let files = std::fs::read_dir(folder("tests/clients/config")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let marked = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, after) = text.split_once("// >>>\n").unwrap();
        let (marked, _) = after.split_once("// <<<\n").unwrap();
        (path, marked.to_owned())
    };
    paths.map(marked).collect()
}

#[test]
#[ignore = "takes long: ./test"]
fn each_client_does_what_the_table_of_the_guide_says() {
    let mut clients = Command::new("node");
    clients.arg(folder("tests/clients/table.cjs"));
    clients.env("EXAMPLE", command("axum", &[]).get_program());
    clients.env("NODE_PATH", packages());
    let clients = clients.output().expect("node is installed");
    let errors = String::from_utf8_lossy(&clients.stderr);
    assert!(clients.status.success(), "{errors}");
    let measured = String::from_utf8(clients.stdout).unwrap();
    assert!(
        measured == table(),
        "src/guide/clients.md says otherwise; measured was:\n{measured}"
    );
}

#[test]
fn the_guide_shows_the_configurations_that_are_run() {
    let configurations = configurations();
    for (path, configuration) in &configurations {
        let block = format!("```js\n{configuration}```\n");
        assert!(GUIDE.contains(&block), "{} in the guide", path.display());
        let most = if path.ends_with("session.js") { 20 } else { 15 };
        assert!(configuration.lines().count() <= most, "{}", path.display());
    }
    assert_eq!(GUIDE.matches("```js\n").count(), configurations.len());
}
