//! The example server at each platform, and what WeChat knows of a user beyond the login.

use serde_json::{Value, json};

use crate::support::process::Program;

const BUSY: (u16, &str) = (503, "provider_unavailable");
const BAD: (u16, &str) = (400, "code_rejected");
const BLOCKED: (u16, &str) = (403, "user_blocked");
const LIMITED: (u16, &str) = (429, "rate_limited");

type Refusal = Option<(u16, &'static str)>;

/// What `busy:1`, `limited:1`, `blocked:1` and `broken:1` come to, where the platform has such an answer.
const PLATFORMS: [(&str, [Refusal; 4]); 10] = [
    (
        "wechat",
        [Some(BUSY), Some(LIMITED), Some(BLOCKED), Some(BUSY)],
    ),
    ("qq", [Some(BUSY), Some(LIMITED), Some(BLOCKED), Some(BUSY)]),
    ("douyin", [Some(BUSY), None, None, Some(BUSY)]),
    ("baidu", [None, None, None, Some(BUSY)]),
    ("kuaishou", [Some(BUSY), None, None, Some(BUSY)]),
    ("alipay", [Some(BUSY), Some(LIMITED), None, Some(BUSY)]),
    ("lark", [None, Some(LIMITED), Some(BLOCKED), Some(BUSY)]),
    ("dingtalk", [Some(BUSY), Some(LIMITED), None, Some(BUSY)]),
    ("telegram", [None, None, None, Some(BAD)]),
    ("vk", [None, None, None, Some(BAD)]),
];

async fn send(server: &Program, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let request = server.client.post(format!("{}{path}", server.base));
    let answer = request.bearer_auth(token).json(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

#[tokio::test]
async fn each_platform_logs_its_users_in_and_refuses_as_it_does() {
    for (platform, refusals) in PLATFORMS {
        let server = Program::start("axum", &[("PLATFORM", platform)]);
        let openid = async |code: &str| {
            let token = server.log_in(code).await;
            server.send("GET", "/me", &token).await.1["openid"].clone()
        };
        let alice = openid("alice:1").await;
        assert!(!alice.as_str().unwrap().is_empty(), "{platform}");
        assert_eq!(openid("alice:2").await, alice, "{platform}");
        assert_ne!(openid("bob:1").await, alice, "{platform}");
        let codes = ["busy:1", "limited:1", "blocked:1", "broken:1"];
        for (code, refusal) in codes.into_iter().zip(refusals) {
            let Some((status, reason)) = refusal else {
                continue;
            };
            let (got, body) = send(&server, "/login", "", &json!({ "code": code })).await;
            assert_eq!(
                (got, &body["reason"]),
                (status, &json!(reason)),
                "{platform} {code}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_client_sends_encrypted_is_opened_and_rubbish_is_refused() {
    let server = Program::start("axum", &[]);
    let token = server.log_in("alice:1").await;
    let (_, me) = server.send("GET", "/me", &token).await;
    let path = format!("/demo/phone_number/{}", me["openid"].as_str().unwrap());
    let (_, encrypted) = server.send("GET", &path, "").await;
    let (status, opened) = send(&server, "/decrypt", &token, &encrypted).await;
    assert_eq!(
        (status, &opened["phoneNumber"]),
        (200, &json!("13580006666"))
    );

    let iv = &encrypted["iv"];
    for (body, reason) in [
        (json!("rubbish"), "bad_request"),
        (json!({ "iv": iv }), "bad_request"),
        (json!({ "encryptedData": "%", "iv": iv }), "bad_base64"),
        (json!({ "encryptedData": "AAAA", "iv": iv }), "bad_length"),
        (json!({ "encryptedData": iv, "iv": iv }), "undecryptable"),
    ] {
        let (status, refused) = send(&server, "/decrypt", &token, &body).await;
        assert_eq!(
            (status, &refused["reason"]),
            (400, &json!(reason)),
            "{body}"
        );
    }
    assert_eq!(send(&server, "/decrypt", "", &encrypted).await.0, 401);
}

#[tokio::test]
async fn a_phone_number_comes_for_a_code_of_the_button_once() {
    let server = Program::start("axum", &[]);
    let token = server.log_in("alice:1").await;
    let code = json!({ "code": "alice:of the button" });
    let (status, phone) = send(&server, "/phone", &token, &code).await;
    assert_eq!(status, 200, "{phone}");
    assert_eq!(phone["countryCode"], "86");
    let (status, again) = send(&server, "/phone", &token, &code).await;
    assert_eq!((status, &again["reason"]), (400, &json!("code_rejected")));
    let (status, refused) = send(&server, "/phone", &token, &json!({})).await;
    assert_eq!((status, &refused["reason"]), (400, &json!("bad_request")));
}

#[tokio::test]
async fn whether_wechat_still_takes_the_session_key_is_told() {
    let server = Program::start("axum", &[]);
    let token = server.log_in("alice:1").await;
    let check = async || server.send("GET", "/session_key/check", &token).await;
    assert_eq!(
        check().await,
        (reqwest::StatusCode::OK, json!({ "session_key": "valid" }))
    );
    let busy = server.client.post(format!("{}/demo/wechat", server.base));
    busy.json(&json!({ "state": "busy" })).send().await.unwrap();
    assert_eq!(check().await.1, json!({ "session_key": "cannot_tell" }));
}

#[tokio::test]
async fn what_only_wechat_has_is_refused_elsewhere() {
    let server = Program::start("axum", &[("PLATFORM", "dingtalk")]);
    let token = server.log_in("alice:1").await;
    let (status, refused) = send(&server, "/phone", &token, &json!({ "code": "a" })).await;
    assert_eq!((status, &refused["reason"]), (400, &json!("not_supported")));
    let (_, check) = server.send("GET", "/session_key/check", &token).await;
    assert_eq!(check, json!({ "session_key": "none" }));
}
