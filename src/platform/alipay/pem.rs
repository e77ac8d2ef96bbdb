use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The contents of the PEM blocks in a text; a text without any is the content of one.
///
/// Alipay's tools write keys as one line of base64 without a header. What configuration files make
/// of line ends is put up with: none at all, other ones, and `\n` in two characters.
pub(super) fn blocks(text: &str) -> Option<Vec<Vec<u8>>> {
    let parts: Vec<&str> = text.split("-----").collect();
    match *parts {
        [line] => Some(vec![decode(line)?]),
        // Something before, the head, the content, the foot; and the same again.
        _ => parts
            .chunks(4)
            .filter_map(|block| block.get(2))
            .map(|content| decode(content))
            .collect(),
    }
}

/// The content of the first block.
pub(super) fn first(text: &str) -> Option<Vec<u8>> {
    blocks(text)?.into_iter().next()
}

fn decode(content: &str) -> Option<Vec<u8>> {
    let base64: String = content.replace("\\n", "").split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_and_one_line_have_the_same_content() {
        for text in [
            "aGVsbG8gd29ybGQ=",
            " aGVsbG8g\r\nd29ybGQ=\n",
            "-----BEGIN KEY-----\naGVsbG8g\nd29ybGQ=\n-----END KEY-----\n",
            "-----BEGIN KEY-----\r\naGVsbG8gd29ybGQ=\r\n-----END KEY-----",
            "-----BEGIN KEY-----aGVsbG8gd29ybGQ=-----END KEY-----",
            "-----BEGIN KEY-----\\naGVsbG8gd29ybGQ=\\n-----END KEY-----\\n",
            "a comment\n-----BEGIN KEY-----\naGVsbG8gd29ybGQ=\n-----END KEY-----\nanother",
        ] {
            assert_eq!(first(text).unwrap(), b"hello world", "{text}");
        }
    }

    #[test]
    fn blocks_follow_each_other_with_anything_between() {
        let text = "-----BEGIN A-----\nYQ==\n-----END A-----\n\nand\n-----BEGIN B-----\nYg==\n-----END B-----\n";
        assert_eq!(blocks(text).unwrap(), [b"a", b"b"]);
    }

    #[test]
    fn what_is_no_base64_has_no_content() {
        for text in [
            "/etc/keys/app.pem",
            "aGVsbG8gd29ybGQ",
            "-----BEGIN KEY-----\nProc-Type: 4,ENCRYPTED\n\nYQ==\n-----END KEY-----",
            "-----BEGIN KEY-----",
            "-----",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }
}
