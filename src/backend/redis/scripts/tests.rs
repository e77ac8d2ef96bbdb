//! What servers that read a script before they run it find in each of ours.
//!
//! ```text
//! call  = "redis" "." ( "call" | "pcall" ) "(" command [ "," key ] { "," argument } ")"
//! key   = "KEYS" "[" ( number | name ) "]"
//! ```
//!
//! A command is a string. All but TIME, PUBLISH and CLUSTER take one key, and `KEYS` stands nowhere
//! else.

use super::{SCRIPTS, TRIAL};

const KEYLESS: [&str; 3] = ["'TIME'", "'PUBLISH'", "'CLUSTER'"];

/// Names, numbers, strings and signs, without comments.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '\'' {
            2 + rest[1..].find('\'').expect("an end of the string")
        } else if is_of_name(first) {
            rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        if !rest.starts_with("--") {
            tokens.push(&rest[..end]);
        }
        rest = rest[end..].trim_start();
    }
    tokens
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What is wrong with a script; the words after which it was found.
fn fault(code: &str) -> Option<String> {
    let tokens = tokens(code);
    let mut keys = 0;
    for (at, token) in tokens.iter().enumerate() {
        let said = || Some(tokens[at..tokens.len().min(at + 10)].join(" "));
        match *token {
            "redis" => match &tokens[at + 1..] {
                [".", "call" | "pcall", "(", command, rest @ ..] if command.starts_with('\'') => {
                    let has_key = matches!(rest, [",", "KEYS", "[", name, "]", "," | ")", ..]
                        if name.chars().all(is_of_name));
                    if has_key == KEYLESS.contains(command) {
                        return said();
                    }
                    keys += usize::from(has_key);
                }
                _ => return said(),
            },
            // What not every host has, or has under other names from version to version.
            "unpack" | "struct" | "bit" | "cjson" | "cmsgpack" | "pow" | "getn" => return said(),
            _ => {}
        }
    }
    let all = tokens.iter().filter(|token| **token == "KEYS").count();
    (all != keys).then(|| format!("{all} times KEYS in {keys} calls"))
}

#[test]
fn where_a_key_belongs_stands_keys_and_a_plain_index() {
    for (name, script) in SCRIPTS {
        for text in [Some(&script.text), script.giving_back.as_ref()] {
            let fault = text.and_then(|text| fault(text.code));
            assert_eq!(fault, None, "{name}");
        }
    }
    assert_eq!(fault(TRIAL), None);
}

#[test]
fn what_gives_back_what_it_has_changed_does_not_even_mention_channels_and_clusters() {
    for (name, script) in SCRIPTS {
        let text = script.giving_back.as_ref().unwrap_or(&script.text);
        let code = text.code.to_uppercase();
        for word in ["PUBLISH", "SUBSCRIBE", "CLUSTER", "UNPACK"] {
            assert!(!code.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn what_is_no_plain_index_of_keys_is_found() {
    for good in [
        "return redis.call('GET', KEYS[1])",
        "local at = 2 redis.pcall('SET', KEYS[at], KEPT) -- KEYS",
        "redis.call('TIME') redis.call('PUBLISH', channel, text)",
    ] {
        assert_eq!(fault(good), None, "{good}");
    }
    for bad in [
        "redis.call('GET', key)",
        "redis.call('GET', r.key)",
        "redis.call('GET', given[id])",
        "redis.call('GET', KEYS[given[id]])",
        "redis.call('GET', KEYS[at + 1])",
        "redis.call('GET', KEYS[1] .. ':1')",
        "redis.call('GET', (KEYS[1]))",
        "redis.call('GET', ARGV[1])",
        "redis.call('DBSIZE')",
        "redis.call(command, KEYS[1])",
        "local call = redis.call",
        "local first = KEYS[1] redis.call('GET', KEYS[1])",
        "for i = 1, #KEYS do redis.call('GET', KEYS[i]) end",
        "redis.call('HMGET', KEYS[1], unpack(FIELDS))",
    ] {
        assert!(fault(bad).is_some(), "{bad}");
    }
}
