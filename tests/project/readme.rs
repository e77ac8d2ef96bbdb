//! What both READMEs say is the same, and works; the Rust in them is compiled by `Readme` in `src/lib.rs`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The code of all blocks in a language, without comments.
fn code_of(readme: &str, language: &str) -> String {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let blocks = readme
        .split("\n```")
        .filter_map(|block| block.strip_prefix(language));
    let lines = blocks.flat_map(|block| block.lines().skip(1));
    lines
        .filter(|line| !is_comment(line))
        .fold(String::new(), |code, line| code + line + "\n")
}

#[test]
fn both_readmes_have_the_same_code() {
    for language in ["rust", "js", "toml", "sh"] {
        let english = code_of(include_str!("../../README.md"), language);
        assert!(!english.is_empty(), "{language}");
        let chinese = code_of(include_str!("../../README.zh-CN.md"), language);
        assert_eq!(english, chinese, "{language}");
    }
}

#[test]
fn the_client_of_the_readme_logs_in_once_however_late_its_requests_are_refused() {
    let client = code_of(include_str!("../../README.md"), "js");
    let program = format!("{client}\n;{}", include_str!("../node/readme.js"));
    let node = Command::new("node").arg("-e").arg(program).output();
    let node = node.expect("node is installed");
    let errors = String::from_utf8_lossy(&node.stderr);
    assert!(node.status.success(), "{errors}");
    let seen = String::from_utf8_lossy(&node.stdout);
    let once = "1 login, alice alice alice\n";
    assert_eq!(seen, once.repeat(2), "in one go, one by one");
}

#[test]
fn both_readmes_link_to_the_same_files_and_all_are_there() {
    let links = |text: &str| -> BTreeSet<String> {
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let files = targets.filter(|target| !target.contains("://"));
        let names = files.filter_map(|target| target.split('#').next().map(ToOwned::to_owned));
        names.filter(|name| !name.starts_with("README")).collect()
    };
    let english = links(include_str!("../../README.md"));
    assert_eq!(english, links(include_str!("../../README.zh-CN.md")));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in english {
        assert!(root.join(&file).exists(), "{file}");
    }
}

/// Every Rust file below a folder.
pub fn sources(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(rust) if rust == "rs" => {
                vec![std::fs::read_to_string(&path).expect("a source file")]
            }
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn every_test_that_a_guarantee_names_is_there() {
    let table = include_str!("../../CONTRIBUTING.md")
        .split("\n## ")
        .find(|section| section.starts_with("Guarantees and their tests"));
    let rows = table
        .expect("the table")
        .lines()
        .filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.split(" | ").nth(1));
    let names: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(names.len() > 100, "{names:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = ["tests", "src"].map(|folder| sources(&root.join(folder)).concat());
    let tests = tests.concat();
    let is_there = |name: &str| tests.contains(&format!("fn {name}("));
    let missing = names
        .iter()
        .filter(|name| !name.starts_with("./") && !is_there(name));
    assert_eq!(missing.collect::<Vec<_>>(), [&""; 0]);
}
