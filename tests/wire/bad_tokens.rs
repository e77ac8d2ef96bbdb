//! Whatever a client sends for a token: a documented answer, no panic, and never a fault of the server.

use std::fmt::Write;

use tower_wx_session::Identity;

use crate::support::golden::{LAYER, golden};
use crate::support::http::Server;
use crate::support::world::{App, World};

pub async fn start() -> (World, App, String) {
    let world = World::new().await;
    let issued = world.sessions.issue(Identity::new("wxa", "alice")).await;
    let token = issued.unwrap().token().expose().to_owned();
    let app = world.start().await;
    (world, app, token)
}

/// Sends headers as they are; gives the status and the body.
async fn get_me(server: &Server, headers: &[u8]) -> (u16, String) {
    let mut request = b"GET /me HTTP/1.1\r\nhost: h\r\nconnection: close\r\n".to_vec();
    request.extend_from_slice(headers);
    request.extend_from_slice(b"\r\n\r\n");
    split(&server.raw(&request).await)
}

#[track_caller]
pub fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (
        status.unwrap_or_else(|| panic!("{answer:?}")),
        body.to_owned(),
    )
}

#[tokio::test]
async fn every_wrong_kind_of_token_has_its_refusal() {
    let (world, app, token) = start().await;
    let other = world
        .sessions
        .issue(Identity::new("wxa", "bob"))
        .await
        .unwrap();
    let other = other.token().expose();
    let flip = |at: usize| {
        let new = if &token[at..=at] == "A" { "B" } else { "A" };
        format!("{}{new}{}", &token[..at], &token[at + 1..])
    };
    let cases: Vec<(&str, String)> = vec![
        ("missing", "authorization:".into()),
        ("missing", "authorization: ".into()),
        ("missing", "authorization: Bearer".into()),
        ("missing", "authorization: Bearer \t ".into()),
        ("missing", format!("authorization: {token}")),
        ("missing", format!("authorization: Basic {token}")),
        ("missing", format!("authorization: Bearer{token}")),
        ("missing", format!("authorization: Bearer={token}")),
        ("missing", format!("authorization: Token {token}")),
        ("missing", format!("x-wx-id: {token}")),
        ("missing", format!("cookie: session={token}")),
        (
            "missing",
            "x-wx-skey:\r\nx-wx-skey:\r\nauthorization:".into(),
        ),
        ("malformed", "authorization: Bearer x".into()),
        ("malformed", "authorization: Bearer undefined".into()),
        ("malformed", format!("authorization: Bearer Bearer {token}")),
        ("malformed", format!("authorization: Bearer \"{token}\"")),
        ("malformed", format!("authorization: Bearer {token},")),
        (
            "malformed",
            format!("authorization: Bearer {token}, Bearer {token}"),
        ),
        (
            "malformed",
            format!("authorization: Bearer {token} {token}"),
        ),
        (
            "malformed",
            format!("authorization: Bearer {}", token.to_uppercase()),
        ),
        (
            "malformed",
            format!("authorization: Bearer {}", token.to_lowercase()),
        ),
        (
            "malformed",
            format!("authorization: Bearer {}", &token[4..]),
        ),
        (
            "malformed",
            format!("authorization: Bearer {}", &token[..62]),
        ),
        ("malformed", format!("authorization: Bearer {token}=")),
        ("malformed", format!("authorization: Bearer {token}%20")),
        // The version, the bucket, the random part and the tag.
        ("malformed", format!("authorization: Bearer {}", flip(4))),
        ("malformed", format!("authorization: Bearer {}", flip(7))),
        ("malformed", format!("authorization: Bearer {}", flip(30))),
        ("malformed", format!("authorization: Bearer {}", flip(60))),
        ("malformed", format!("x-wx-skey: Bearer {token}")),
        ("malformed", "x-wx-skey: null".into()),
        (
            "several",
            format!("authorization: Bearer {token}\r\nauthorization: Bearer {other}"),
        ),
        (
            "several",
            format!("authorization: Bearer {token}\r\nx-wx-skey: {other}"),
        ),
        (
            "several",
            format!("authorization: Bearer {token}\r\nx-wx-skey: x"),
        ),
        ("several", "x-wx-skey: a\r\nX-WX-SKEY: b".into()),
        (
            "several",
            "x-wx-skey: a\r\nx-wx-skey: a\r\nauthorization: bearer b".into(),
        ),
    ];
    for (case, headers) in cases {
        let row = golden(LAYER, case);
        let seen = get_me(&app.server, headers.as_bytes()).await;
        assert_eq!(seen, (row.status, row.json.to_owned()), "{headers}");
    }
    assert_eq!(world.handler_calls(), 0);
    let twice = format!("AUTHORIZATION:\tbearer   {token} \r\nX-Wx-SKey: {token}\r\nx-wx-skey:");
    assert_eq!(
        get_me(&app.server, twice.as_bytes()).await,
        (200, "alice".into())
    );
}

#[tokio::test]
async fn every_byte_that_a_header_may_hold_is_no_token() {
    let (world, app, token) = start().await;
    let malformed = golden(LAYER, "malformed");
    for byte in 0..=u8::MAX {
        for at in [0, 4, 30, 62] {
            let mut headers = format!("authorization: Bearer {token}").into_bytes();
            let at = headers.len() - token.len() + at;
            if headers[at] == byte || (byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
                continue;
            }
            headers[at] = byte;
            let seen = get_me(&app.server, &headers).await;
            let is_allowed = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            if is_allowed {
                assert_eq!(seen, (401, malformed.json.to_owned()), "{byte:#x} at {at}");
            } else {
                assert!([400, 401].contains(&seen.0), "{byte:#x} at {at}");
            }
        }
    }
    assert_eq!(world.handler_calls(), 0);
}

#[tokio::test]
async fn a_huge_header_is_refused() {
    let (world, app, _) = start().await;
    for (length, expected) in [
        (8_000, &[401][..]),
        (64 * 1024, &[401, 431]),
        (600_000, &[431]),
    ] {
        let headers = format!("authorization: Bearer {}", "A".repeat(length));
        let (status, _) = get_me(&app.server, headers.as_bytes()).await;
        assert!(expected.contains(&status), "{length}: {status}");
    }
    let mut many = String::new();
    for turn in 0..80 {
        write!(many, "x-wx-skey: {turn}\r\n").unwrap();
    }
    let several = golden(LAYER, "several").json.to_owned();
    let seen = get_me(&app.server, many.trim_end().as_bytes()).await;
    assert_eq!(seen, (400, several));
    assert_eq!(world.handler_calls(), 0);
}
