//! The subprotocols that the opening handshake of a WebSocket offers (RFC 6455 §1.9), one of which
//! may be a token: the one header that a browser lets a page choose.

use std::collections::HashSet;
use std::iter::from_fn;

use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};

use super::Token;

/// What the token follows. Subprotocols are compared byte by byte, in this letter case.
pub(crate) const BEARER: &str = "bearer";

/// Each entry that follows `bearer`.
pub(super) fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let mut entries = entries(headers);
    from_fn(move || {
        entries.find(is_bearer)?;
        entries.find(|entry| !is_bearer(entry))
    })
}

/// Whether a token is among what is offered.
pub(crate) fn has_token(headers: &HeaderMap) -> bool {
    tokens(headers).next().is_some()
}

/// Takes tokens out of what is offered, also one in a place where it does not count; the others stay.
pub(super) fn cut_tokens(headers: &mut HeaderMap) {
    // A set: there may be thousands of them, and as many entries.
    let tokens: HashSet<_> = tokens(headers).collect();
    let is_secret = |entry: &&[u8]| tokens.contains(entry) || Token::parse(entry).is_some();
    if !entries(headers).any(|entry| is_secret(&entry)) {
        return;
    }
    let rest: Vec<_> = entries(headers).filter(|entry| !is_secret(entry)).collect();
    // What a valid header is made of is valid.
    let rest = HeaderValue::from_bytes(&rest.join(&b", "[..])).ok();
    match rest.filter(|rest| !rest.is_empty()) {
        Some(rest) => headers.insert(SEC_WEBSOCKET_PROTOCOL, rest),
        None => headers.remove(SEC_WEBSOCKET_PROTOCOL),
    };
}

/// The list, in however many lines it comes.
fn entries(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let entries = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    entries
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
}

fn is_bearer(entry: &&[u8]) -> bool {
    *entry == BEARER.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (SEC_WEBSOCKET_PROTOCOL, line.parse().unwrap());
        lines.iter().map(line).collect()
    }

    fn tokens_in(lines: &[&str]) -> Vec<String> {
        tokens(&offer(lines))
            .map(|token| String::from_utf8(token.to_vec()).unwrap())
            .collect()
    }

    /// The lines behind the layer.
    fn rest_of(lines: &[&str]) -> Vec<String> {
        let mut headers = offer(lines);
        cut_tokens(&mut headers);
        let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        lines
            .map(|line| line.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_token_is_what_follows_bearer() {
        let rows: [(&[&str], &[&str], Option<&str>); 10] = [
            (&["bearer, t"], &["t"], Some("bearer")),
            (&["chat,bearer,t,v2"], &["t"], Some("chat, bearer, v2")),
            (
                &["chat", " bearer ,, t ", "v2"],
                &["t"],
                Some("chat, bearer, v2"),
            ),
            (&["bearer", "t, chat"], &["t"], Some("bearer, chat")),
            (
                &["bearer, a, bearer, b"],
                &["a", "b"],
                Some("bearer, bearer"),
            ),
            (&["bearer, bearer, t, t"], &["t"], Some("bearer, bearer")),
            (&["bearer"], &[], None),
            (&["Bearer, t", "bearert, t", "t"], &[], None),
            (&["chat, v2, bearer"], &[], None),
            (&[], &[], None),
        ];
        for (lines, tokens, rest) in rows {
            assert_eq!(tokens_in(lines), tokens, "{lines:?}");
            let rest = rest.map_or(lines.to_vec(), |rest| vec![rest]);
            assert_eq!(rest_of(lines), rest, "{lines:?}");
        }
    }

    #[test]
    fn a_token_in_the_wrong_place_is_taken_out_with_what_was_taken_for_one() {
        let token = format!("wxs_AQ{}", "A".repeat(57));
        let lines = format!("bearer, chat, {token}, v2");
        assert_eq!(tokens_in(&[&lines]), ["chat"]);
        assert_eq!(rest_of(&[&lines]), ["bearer, v2"]);
        assert_eq!(rest_of(&[&format!("{token}, v2")]), ["v2"]);
        assert!(rest_of(&[&token]).is_empty());
    }
}
