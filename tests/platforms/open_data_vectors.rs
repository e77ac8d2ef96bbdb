//! Open data and signatures that are not of our making.

use std::process::Stdio;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tower_wx_session::SessionKey;
use tower_wx_session::open_data::{OpenData, OpenDataError, OpenDataErrorKind};
use tower_wx_session::test_util::encrypt_open_data;

use crate::support::languages::{answers_to, python_program};

const APPID: &str = "wx4f4bc4dec97d474b";
const NOW: u64 = 1_767_225_600;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn text(case: &Value, name: &str) -> String {
    case[name].as_str().unwrap().to_owned()
}

/// Opens what a case holds.
fn open(case: &Value, data: &OpenData) -> Result<Value, OpenDataError> {
    data.decrypt(&text(case, "encrypted_data"), &text(case, "iv"))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

fn random_key() -> SessionKey {
    SessionKey::new(BASE64_STANDARD.encode(random::<16>()))
}

#[test]
fn each_vector_that_published_packages_agree_on_opens_or_is_refused() {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let cases = vectors["wechat"]["cases"].as_array().unwrap();
    let mut opened = 0;
    for case in cases {
        let data = OpenData::new(
            SessionKey::new(text(case, "session_key")),
            text(case, "appid"),
        );
        let result = open(case, &data.with_max_age(Duration::MAX));
        let name = text(case, "name");
        let expected = match &*name {
            "percent-encoded once" => Some("bad_base64"),
            "cut to 100 bytes" | "empty encryptedData" => Some("bad_length"),
            _ if case["expect"] == "refuse" => Some("undecryptable"),
            _ => None,
        };
        assert_eq!(
            result.as_ref().err().map(OpenDataError::reason),
            expected,
            "{name}"
        );
        opened += usize::from(result.is_ok_and(|data| data["watermark"]["appid"] == case["appid"]));
    }
    let refused = cases
        .iter()
        .filter(|case| case["expect"] == "refuse")
        .count();
    assert!(
        opened > 0 && opened + refused == cases.len(),
        "{opened} {refused}"
    );

    let check = &vectors["wechat"]["check_session_key"];
    let key = SessionKey::new(text(check, "session_key"));
    assert_eq!(
        key.sign(text(check, "message").as_bytes()),
        text(check, "right")
    );
}

#[tokio::test]
async fn what_python_encrypts_and_signs_is_taken_and_what_it_damages_is_not() {
    let order = json!({ "count": 20, "appid": APPID, "timestamp": NOW });
    let cases: Vec<Value> = answers_to(python_program("open_data.py"), &order).await;
    assert!(cases.len() > 300);
    for case in &cases {
        let key = SessionKey::new(text(case, "session_key"));
        let data = OpenData::new(key.clone(), APPID).at(now());
        let form = text(case, "form");
        match open(case, &data) {
            Ok(opened) => {
                assert_eq!(case["reason"], Value::Null, "{form}");
                let expected: Value = serde_json::from_str(&text(case, "text")).unwrap();
                assert_eq!(opened, expected, "{form}");
            }
            Err(error) => assert_eq!(case["reason"], error.reason(), "{form}"),
        }

        let (raw_data, message) = (text(case, "raw_data"), text(case, "message"));
        let signature = text(case, "signature");
        data.verify_raw_data(&raw_data, &text(case, "raw_signature"))
            .unwrap();
        data.verify_message(message.as_bytes(), &signature).unwrap();
        assert_eq!(key.sign(message.as_bytes()), signature);
        let other = OpenData::new(random_key(), APPID).at(now());
        other
            .verify_raw_data(&raw_data, &text(case, "raw_signature"))
            .unwrap_err();
        other
            .verify_message(message.as_bytes(), &signature)
            .unwrap_err();
    }
}

/// What `openssl` writes when it has read all of `input`.
async fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut openssl = Command::new("openssl");
    openssl
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut openssl = openssl.kill_on_drop(true).spawn().unwrap();
    let mut stdin = openssl.stdin.take().unwrap();
    stdin.write_all(input).await.unwrap();
    drop(stdin);
    let output = openssl.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", output.status);
    output.stdout
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest at the end of `openssl dgst`'s line.
async fn digest(arguments: &[&str], input: &[u8]) -> String {
    let line = String::from_utf8(openssl(arguments, input).await).unwrap();
    line.trim_end().rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_openssl_encrypts_and_signs_is_taken() {
    // Each length of padding.
    for filler in 0..16 {
        let (key, iv) = (random::<16>(), random::<16>());
        let session_key = BASE64_STANDARD.encode(key);
        let data = OpenData::new(SessionKey::new(&*session_key), APPID).at(now());
        let text = json!({
            "nickName": "x".repeat(filler),
            "watermark": { "appid": APPID, "timestamp": NOW },
        });
        let bytes = text.to_string().into_bytes();
        let cipher = ["enc", "-aes-128-cbc", "-K", &hex(&key), "-iv", &hex(&iv)];
        let encrypted = BASE64_STANDARD.encode(openssl(&cipher, &bytes).await);
        let opened: Value = data
            .decrypt(&encrypted, &BASE64_STANDARD.encode(iv))
            .unwrap();
        assert_eq!(opened, text);

        let raw_data = text.to_string();
        let signed = format!("{raw_data}{session_key}");
        let signature = digest(&["dgst", "-sha1"], signed.as_bytes()).await;
        data.verify_raw_data(&raw_data, &signature).unwrap();
        let key = format!("key:{session_key}");
        let mac = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", &key];
        let signature = digest(&mac, &bytes).await;
        data.verify_message(&bytes, &signature).unwrap();
        assert_eq!(SessionKey::new(&*session_key).sign(&bytes), signature);
    }
}

#[test]
fn none_of_a_thousand_wrong_keys_opens_anything() {
    let text = format!(r#"{{"opengid":"G","watermark":{{"appid":"{APPID}","timestamp":{NOW}}}}}"#);
    let right = random_key();
    let (encrypted_data, iv) = encrypt_open_data(&right, &text).unwrap();
    let refusals = (0..1000).map(|_| {
        let data = OpenData::new(random_key(), APPID).at(now());
        data.decrypt::<Value>(&encrypted_data, &iv).unwrap_err()
    });
    for refusal in refusals {
        assert_eq!(refusal.kind(), OpenDataErrorKind::Undecryptable);
        assert!(
            std::error::Error::source(&refusal).is_none(),
            "nothing tells them apart"
        );
    }
    let data = OpenData::new(right, APPID).at(now());
    assert_eq!(
        data.decrypt::<Value>(&encrypted_data, &iv).unwrap()["opengid"],
        "G"
    );
}
