//! The example on plain hyper, as it is started by hand.

use std::process::Stdio;

use serde_json::json;

use crate::support::process::{Program, command};

#[tokio::test]
async fn it_logs_in_checks_sessions_and_ends_by_ctrl_c() {
    let mut server = Program::start("hyper", &[]);
    let me = format!("{}/me", server.base);
    let (status, refusal) = server.send("GET", "/me", "").await;
    assert_eq!(
        (status.as_u16(), &refusal["reason"]),
        (401, &json!("session_missing"))
    );
    let token = server.log_in("alice:1").await;
    let greeted = server.client.get(&me).header("X-WX-Skey", &token);
    let greeted = greeted.send().await.unwrap();
    assert_eq!(greeted.status(), 200);
    assert!(greeted.text().await.unwrap().starts_with('o'));
    let (status, refusal) = server.send("GET", "/me", "nonsense").await;
    assert_eq!(
        (status.as_u16(), &refusal["reason"]),
        (401, &json!("session_malformed"))
    );
    assert_eq!(server.send("GET", "/nowhere", &token).await.0, 404);
    assert_eq!(server.send("GET", "/login", &token).await.0, 405);
    assert_eq!(server.signal("-INT"), Some(0));
}

#[tokio::test]
async fn it_speaks_http_2_and_refuses_as_it_is_told() {
    let server = Program::start("hyper", &[("REFUSAL", "ok_json")]);
    let client = reqwest::Client::builder().no_proxy();
    let client = client.http2_prior_knowledge().build().unwrap();
    let refused = client.get(format!("{}/me", server.base)).send();
    let refused = refused.await.unwrap();
    assert_eq!(refused.version(), http::Version::HTTP_2);
    assert_eq!(refused.status(), 200);
    let refusal: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(refusal["reason"], "session_missing");
}

#[test]
fn a_bad_setting_ends_the_start_with_one_clear_line() {
    for (name, value) in [("LISTEN", "nowhere"), ("STORE", "floppy")] {
        let mut command = command("hyper", &[(name, value)]);
        let output = command.stdout(Stdio::null()).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(name), "{line}");
        // The URL of a store may hold a password.
        assert_eq!(line.contains(value), name != "STORE", "{line}");
    }
}
