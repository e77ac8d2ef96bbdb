//! The pages of the guide; rustdoc compiles the Rust in them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::readme::sources;

/// The blocks in a language.
fn blocks<'p>(page: &'p str, language: &'p str) -> impl Iterator<Item = &'p str> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    blocks.filter_map(move |block| {
        let (head, code) = block.split_once('\n')?;
        (head.split(',').next() == Some(language)).then_some(code)
    })
}

/// The Rust that a reader sees, without comments.
fn rust_of(page: &str) -> String {
    let lines = blocks(page, "rust").flat_map(str::lines);
    let seen = lines.filter(|line| !line.starts_with("# "));
    let codes = seen.filter_map(|line| line.split("//").next());
    codes.fold(String::new(), |rust, code| rust + code.trim_end() + "\n")
}

#[test]
fn both_languages_of_a_page_have_the_same_rust() {
    for (english, chinese) in [
        (
            include_str!("../../src/guide/from_wx_login.md"),
            include_str!("../../src/guide/from_wx_login_zh.md"),
        ),
        (
            include_str!("../../src/guide/moving_over.md"),
            include_str!("../../src/guide/moving_over_zh.md"),
        ),
    ] {
        let rust = rust_of(english);
        assert!(rust.lines().count() > 40, "{rust}");
        assert_eq!(rust, rust_of(chinese));
    }
}

/// Whether Node reads it as a program, or as a module if it imports or exports; it is not run.
fn parses(code: &str) -> bool {
    let is_of_module = |line: &str| line.starts_with("import ") || line.starts_with("export ");
    let module = code.lines().any(is_of_module);
    let kind = if module { "module" } else { "commonjs" };
    let mut node = Command::new("node")
        .args(["--check", "--input-type", kind, "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("node is installed");
    let mut input = node.stdin.take().expect("piped");
    input.write_all(code.as_bytes()).expect("node reads");
    drop(input);
    node.wait().expect("node ends").success()
}

#[test]
fn all_javascript_of_the_guide_parses() {
    assert!(!parses("const = 1") && !parses("import a from 'b'\nconst = 1"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
    let pages = std::fs::read_dir(folder).expect("the guide");
    let paths = pages.map(|page| page.expect("an entry").path());
    let texts = paths.map(|path| std::fs::read_to_string(path).expect("a page"));
    let mut count = 0;
    for text in texts {
        for code in blocks(&text, "js") {
            assert!(parses(code), "{code}");
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

/// The text of a block of code that begins with a line, until a line that has nothing but its end.
fn block<'t>(text: &'t str, first_line: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("\n{first_line}"))?;
    Some(rest.split(&format!("\n{end}\n")).next().unwrap_or(rest))
}

/// Whether a release runs its stories in a topology, by itself or by a macro that it names.
fn runs(release: &str, topology: &str) -> bool {
    let matrix = include_str!("../redis/matrix.rs");
    let of_topology = format!("{topology} of ");
    let of_release = block(matrix, &format!("mod {release} {{"), "}").unwrap_or("");
    let has = |macros: &str| {
        let code = block(matrix, &format!("macro_rules! {macros} {{"), "}");
        of_release.contains(&format!("{macros}!(")) && code.expect(macros).contains(&of_topology)
    };
    of_release.contains(&of_topology) || has("one_server") || has("several_servers")
}

/// The last cells of the tables of a page that have these titles.
fn last_cells(page: &'static str, titles: &[&str]) -> Vec<&'static str> {
    let cells = titles.iter().map(|title| {
        let table = page.split("\n# ").find(|part| part.starts_with(title));
        let lines = table.expect(title).lines();
        let rows = lines.filter(|line| line.starts_with("| ")).skip(1);
        let last = |row: &'static str| row.trim_end_matches(" |").rsplit(" | ").next();
        rows.filter_map(last).collect::<Vec<_>>()
    });
    cells.collect::<Vec<_>>().concat()
}

/// Fails unless each of these cells names tests, and all of them are there.
#[track_caller]
fn are_tests(cells: &[&str], folders: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = folders
        .iter()
        .flat_map(|folder| sources(&root.join(folder)));
    let tests = tests.collect::<Vec<_>>().concat();
    for cell in cells {
        let names: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{cell}");
        for name in names.into_iter().filter(|name| !name.starts_with("./")) {
            let is_there = match name.split("::").collect::<Vec<_>>()[..] {
                ["matrix", release, topology] => runs(release, topology),
                _ => tests.contains(&format!("fn {name}(")),
            };
            assert!(is_there, "{name}");
        }
    }
}

#[test]
fn every_test_that_the_tables_of_redis_servers_name_is_there() {
    assert!(!runs("redis_8_2_3", "cluster"));
    let page = include_str!("../../src/guide/redis_servers.md");
    let cells = last_cells(page, &["Run by tests", "What servers lack"]);
    assert!(cells.len() > 20, "{cells:?}");
    are_tests(&cells, &["tests/redis", "src/backend/redis"]);
}

#[test]
fn every_test_that_the_table_of_which_store_names_is_there() {
    let page = include_str!("../../src/guide/which_store.md");
    let cells = last_cells(page, &["Run by tests"]);
    assert!(cells.len() > 4, "{cells:?}");
    are_tests(
        &cells,
        &[
            "tests/databases",
            "tests/examples",
            "tests/faults",
            "tests/store",
            "src/backend/file",
        ],
    );
}
