//! Random headers and bodies.

use std::convert::Infallible;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_wx_session::login::Login;
use tower_wx_session::{Rejection, TokenSource};

use super::bad_tokens::start;
use crate::support::forged::key_of;
use crate::support::world::World;

/// A small generator of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// Any bytes that a header may hold, or something close to a token.
    fn value(&mut self, token: &str) -> Vec<u8> {
        let scheme = self.pick(&[
            "",
            "Bearer ",
            "bearer\t",
            "Bearer Bearer ",
            "Basic ",
            "Bearer",
        ]);
        let mut value = scheme.as_bytes().to_vec();
        if self.below(2) == 0 {
            let mut text = token.as_bytes().to_vec();
            for _ in 0..=self.below(3) {
                let at = self.below(text.len());
                match self.below(4) {
                    0 => text.truncate(at.max(1)),
                    1 => text.insert(at, self.byte()),
                    _ => text[at] = self.byte(),
                }
            }
            // The change may have changed nothing; the token itself is good.
            if text == token.as_bytes() {
                text.reverse();
            }
            value.extend(text);
        } else {
            let length = self.below(200);
            value.extend((0..length).map(|_| self.byte()));
        }
        value
    }

    fn byte(&mut self) -> u8 {
        loop {
            let byte = self.next() as u8;
            if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
                return byte;
            }
        }
    }
}

const SEED: u64 = 20_260_101;

/// Whether a header holds a well-formed token that names another key than this one.
fn names_another_key(headers: &HeaderMap, token: &str) -> bool {
    let is_of_another = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok();
        let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text.strip_prefix("wxs_")?).ok());
        bytes.is_some_and(|bytes| bytes[1] != key_of(token))
    };
    let mut texts = headers
        .values()
        .flat_map(|value| value.as_bytes().windows(token.len()));
    texts.any(is_of_another)
}

#[tokio::test]
async fn random_headers_never_get_through() {
    println!("seed {SEED}");
    let mut random = Random(SEED);
    let (world, _app, token) = start().await;
    let sources = [
        TokenSource::bearer(),
        TokenSource::skey(),
        TokenSource::query("sid"),
    ];
    let handler = service_fn(
        async |_: Request<()>| -> Result<Response<String>, Infallible> {
            panic!("the handler was called");
        },
    );
    let service = world.layer().with_sources(sources).layer(handler);
    let mut seen = [0_u32; 600];
    for turn in 0..20_000 {
        let mut request = Request::new(());
        for _ in 0..=random.below(2) {
            let name = random.pick(&["authorization", "x-wx-skey", "x-wx-id"]);
            let name = HeaderName::from_static(name);
            let value = HeaderValue::from_bytes(&random.value(&token)).unwrap();
            request.headers_mut().append(name, value);
        }
        if random.below(4) == 0 {
            let hex = random
                .value(&token)
                .iter()
                .fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap();
                    hex
                });
            *request.uri_mut() = format!("/?a&sid={hex}&b").parse().unwrap();
        }
        let context = format!("seed {SEED}, turn {turn}: {request:?}");
        let request_headers = request.headers().clone();
        let response = service.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let refused = if names_another_key(&request_headers, &token) {
            // The key may have been lost: one such token a second is asked about, not each.
            [400, 401, 503].as_slice()
        } else {
            [400, 401].as_slice()
        };
        assert!(refused.contains(&status), "{status}, {context}");
        assert!(
            response.extensions().get::<Rejection>().is_some(),
            "{context}"
        );
        seen[usize::from(status)] += 1;
    }
    assert!(
        seen[400] > 100 && seen[401] > 1000,
        "nothing of interest was tried"
    );
}

#[tokio::test]
async fn random_login_bodies_never_harm() {
    println!("seed {SEED}");
    let mut random = Random(SEED);
    let world = World::new().await;
    // Nobody listens there: what looks like a login costs a moment only.
    let nowhere = world.wechat().with_base_url("http://127.0.0.1:1").unwrap();
    let login = Login::new(world.sessions.clone(), nowhere);
    let parts = [
        "{",
        "}",
        "[",
        "]",
        "\"code\"",
        "\"appid\"",
        ":",
        ",",
        "\"a:1\"",
        "null",
        "7",
        "1e999",
        "\\u0000",
        "\"",
        " ",
        "\u{feff}",
        "{\"code\":",
        "\"}",
        "true",
        "\\",
    ];
    let mut refused = 0;
    for turn in 0..5_000 {
        let mut body = Vec::new();
        for _ in 0..random.below(12) {
            match random.below(10) {
                0 => body.push(random.next() as u8),
                _ => body.extend_from_slice(random.pick(&parts).as_bytes()),
            }
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let body = http_body_util::Full::new(bytes::Bytes::from(body));
        let request = Request::post("/login").body(body).unwrap();
        let response = login.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let is_login = serde_json::from_str::<serde_json::Map<_, _>>(&text)
            .is_ok_and(|fields| fields.get("code").is_some_and(serde_json::Value::is_string));
        match is_login {
            // 400 as well: a code that is known to be spent, a wrong appid, a code given twice.
            true => assert!([400, 503].contains(&status), "turn {turn}: {text:?}"),
            false => assert_eq!(status, 400, "turn {turn}: {text:?}"),
        }
        refused += u32::from(status == 400);
    }
    assert!(refused > 1000);
}
