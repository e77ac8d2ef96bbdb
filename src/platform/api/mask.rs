/// A secret shows if this many of its bytes in a row do.
const RUN: usize = 8;

/// As much of a foreign text as is ever looked at.
const LOOKED_AT: usize = 1000;

/// As much of a foreign text as is ever shown.
const SHOWN: usize = 200;

/// A foreign text, fit for a log: short, printable, and without any part of the secrets.
///
/// Only parts are compared, whatever their case, because an echo may be cut or rewritten.
pub(super) fn mask(text: &str, secrets: &[&str]) -> String {
    let clean: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(LOOKED_AT)
        .collect();
    let hidden = find_all(&clean, secrets);
    clean
        .char_indices()
        .map(
            |(at, c)| match hidden[at..at + c.len_utf8()].contains(&true) {
                true => '*',
                false => c,
            },
        )
        .take(SHOWN)
        .collect()
}

/// Which bytes of the text belong to a secret.
fn find_all(text: &str, secrets: &[&str]) -> Vec<bool> {
    let text = text.as_bytes();
    let mut hidden = vec![false; text.len()];
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let run = secret.len().min(RUN);
        for part in secret.as_bytes().windows(run) {
            for (at, window) in text.windows(run).enumerate() {
                if window.eq_ignore_ascii_case(part) {
                    hidden[at..at + run].fill(true);
                }
            }
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_cut_and_recased_echoes_are_masked() {
        let secret = "0a1B2c3D4e5F6g7H";
        for (text, shown) in [
            (
                "invalid code, rid: 6123abcd-1",
                "invalid code, rid: 6123abcd-1",
            ),
            ("bad 0a1B2c3D4e5F6g7H!", "bad ****************!"),
            ("bad 0A1B2C3D4E5F6G7H!", "bad ****************!"),
            ("bad 2c3D4e5F6g", "bad **********"),
            ("bad 0a1B2c\u{0}\n3D4e5F6g7H", "bad ****************"),
        ] {
            assert_eq!(mask(text, &["", secret]), shown);
        }
    }

    #[test]
    fn a_short_secret_is_masked_whole() {
        assert_eq!(mask("code ab, a, b", &["ab"]), "code **, a, b");
    }

    #[test]
    fn letters_of_several_bytes_survive() {
        assert_eq!(
            mask("错误 \u{e9}t\u{e9} 微信", &["\u{e9}t\u{e9}"]),
            "错误 *** 微信"
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(mask(&"错".repeat(5000), &["x"]).chars().count(), SHOWN);
    }

    #[test]
    fn a_secret_across_the_cut_leaves_no_piece() {
        let text = format!("{}0a1B2c3D4e5F6g7H", "-".repeat(SHOWN - 4));
        assert!(mask(&text, &["0a1B2c3D4e5F6g7H"]).ends_with("-****"));
    }
}
