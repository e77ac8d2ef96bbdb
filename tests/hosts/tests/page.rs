//! The page of the guide shows the guards that are tested, and they are short.

const PAGE: &str = include_str!("../../../src/guide/hosts.md");

/// A section's heading, and the file whose guard it shows.
const GUARDS: [(&str, &str); 4] = [
    ("actix-web 4", include_str!("../src/host/actix_web.rs")),
    ("Rocket 0.5", include_str!("../src/host/rocket.rs")),
    ("poem 3", include_str!("../src/host/poem.rs")),
    ("volo-http 0.5", include_str!("../src/host/volo_http.rs")),
];

/// What a file has for the page: all between its first line and the end that is marked.
fn guard(file: &str) -> &str {
    let (guard, _) = file.split_once("// The page of the guide ends here.").unwrap();
    guard.split_once("\n\n").unwrap().1.trim_end()
}

/// The lines of every function and every impl.
fn lengths(guard: &str) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut begun = None;
    for (number, line) in guard.lines().enumerate() {
        if ["async fn ", "fn ", "impl", "pub "].iter().any(|begin| line.starts_with(begin)) {
            begun = Some(number);
        }
        if line == "}" {
            lengths.push(number - begun.take().unwrap() + 1);
        }
    }
    lengths
}

#[test]
fn the_page_shows_the_guards_that_are_tested() {
    for (heading, file) in GUARDS {
        let section = PAGE.split("\n# ").find(|section| section.starts_with(heading)).unwrap();
        let (_, block) = section.split_once("```rust,ignore\n").unwrap();
        let (block, _) = block.split_once("\n```").unwrap();
        assert_eq!(block, guard(file), "{heading}");
    }
}

#[test]
fn a_guard_has_ten_lines() {
    let all = GUARDS.map(|(heading, file)| (heading, lengths(guard(file))));
    let expected: [(_, &[usize]); 4] = [
        ("actix-web 4", &[10]),
        // A guard of its own, and what a fairing makes of its refusals.
        ("Rocket 0.5", &[10, 9]),
        ("poem 3", &[10]),
        ("volo-http 0.5", &[10]),
    ];
    assert_eq!(all, expected.map(|(heading, lengths)| (heading, lengths.to_vec())));
    assert!(all.iter().flat_map(|(_, lengths)| lengths).all(|lines| *lines <= 10));
}

#[test]
fn no_line_of_a_guard_is_wider_than_the_page() {
    for (heading, file) in GUARDS {
        assert!(guard(file).lines().all(|line| line.chars().count() <= 100), "{heading}");
    }
}
