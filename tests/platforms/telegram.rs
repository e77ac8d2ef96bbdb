//! Telegram's launch data: who is let in, and what a refusal says.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tower_wx_session::login::{ExchangeErrorKind, IdentityProvider, LoginRequest};
use tower_wx_session::platform::Telegram;
use tower_wx_session::test_util::FakeTelegram;

use crate::support::languages::{answers_to, node_program};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// When the vectors were signed.
fn signed_at() -> SystemTime {
    UNIX_EPOCH + 1_700_000_000 * SECOND
}

/// The user's id, or why there is none.
async fn check(
    telegram: &Telegram,
    bot: &str,
    data: &str,
    at: SystemTime,
) -> Result<String, (ExchangeErrorKind, String)> {
    let request = LoginRequest::new(bot, data).at(at);
    match telegram.exchange(request).await {
        Ok(exchanged) => {
            assert_eq!(exchanged.identity().appid(), bot);
            assert_eq!(exchanged.identity().unionid(), None);
            assert!(exchanged.session_key().is_none());
            Ok(exchanged.identity().openid().to_owned())
        }
        Err(error) => Err((error.kind(), error.source().unwrap().to_string())),
    }
}

fn bytes(hex: &str) -> [u8; 32] {
    let digits: Vec<_> = hex.as_bytes().chunks(2).collect();
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<_> = digits.into_iter().map(byte).collect();
    bytes.try_into().unwrap()
}

#[tokio::test]
async fn every_vector_has_the_verdict_that_the_published_packages_agree_on() {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let vectors = &vectors["telegram"];
    let bot_id = vectors["bot_id"].as_u64().unwrap();
    let key = bytes(vectors["ed25519_public_hex"].as_str().unwrap());
    let by_token = Telegram::new(vectors["bot_token"].as_str().unwrap()).unwrap();
    let third_party = Telegram::third_party(bot_id).with_public_key(&key).unwrap();
    let mut played = 0;
    for case in vectors["cases"].as_array().unwrap() {
        for (telegram, form) in [(&by_token, "hmac"), (&third_party, "ed25519")] {
            let name = case["name"].as_str().unwrap();
            let expected = match name {
                "no user" => Some(false),
                "prefix \"tma \"" => Some(true),
                _ => case[form]["expect"].as_bool(),
            };
            let data = case["init_data"].as_str().unwrap();
            let user = check(telegram, &bot_id.to_string(), data, signed_at() + SECOND).await;
            if let Some(expected) = expected {
                assert_eq!(user.is_ok(), expected, "{name}, {form}: {user:?}");
                played += 1;
            }
            assert!(user.is_err() || user == Ok("7100000001".into()), "{name}");
        }
    }
    assert_eq!(played, 46, "verdicts");
}

#[tokio::test]
async fn every_refusal_is_a_rejected_code_and_says_the_cause_without_the_data() {
    let fake = FakeTelegram::new();
    let (bot, at) = (fake.appid(), signed_at());
    let data = fake.init_data_at("alice", at);
    let by_token = Telegram::new(fake.bot_token()).unwrap();
    let by_key = Telegram::third_party(bot.parse().unwrap());
    let by_test_key = by_key.clone().in_test_environment();
    let third_party = by_key.clone().with_public_key(&fake.public_key()).unwrap();
    for telegram in [&by_token, &third_party] {
        let user = check(telegram, bot, &data, at).await;
        assert_eq!(user, Ok(fake.openid("alice")));
    }
    let wrong = "launch data is not signed by the platform for this app";
    let old = "launch data is older than 3600s";
    let early = "launch data is from the future: see the clocks";
    let (alice, hash) = data.split_once("&hash=").unwrap();
    let table: &[(&Telegram, String, SystemTime, &str)] = &[
        (&by_token, data.replace("alice", "mallory"), at, wrong),
        (&third_party, data.replace("alice", "mallory"), at, wrong),
        (&by_key, data.clone(), at, wrong),
        (&by_test_key, data.clone(), at, wrong),
        (&by_token, format!("?{data}"), at, wrong),
        (&by_token, format!("{data}&new="), at, wrong),
        (&by_token, format!("{alice}&hash={}", &hash[1..]), at, wrong),
        (&by_token, data.clone(), at + HOUR, old),
        (&third_party, data.clone(), at + HOUR, old),
        (&by_token, data.clone(), at - 61 * SECOND, early),
        (
            &by_token,
            format!("{data}&hash={hash}"),
            at,
            "launch data has a field twice",
        ),
        (
            &by_token,
            data.replace("AAFake", "%0AFake"),
            at,
            "launch data has a field with a line break",
        ),
        (&by_token, alice.to_owned(), at, "launch data has no hash"),
        (
            &by_token,
            "broken".to_owned(),
            at,
            "launch data has no hash",
        ),
        (
            &third_party,
            "broken".to_owned(),
            at,
            "launch data has no signature",
        ),
        (
            &by_token,
            r#"{"user":{"id":7}}"#.to_owned(),
            at,
            "launch data has no hash",
        ),
    ];
    for (telegram, data, at, cause) in table {
        let refused = check(telegram, bot, data, *at).await;
        let expected = (kind_of(cause), (*cause).to_owned());
        assert_eq!(refused, Err(expected), "{data}");
    }
    let foreign = check(&by_token, "7", &data, at).await.unwrap_err();
    let cause = "no such app is configured".to_owned();
    assert_eq!(foreign, (ExchangeErrorKind::BadRequest, cause));
}

#[tokio::test]
async fn launch_data_without_a_user_or_a_date_is_refused_although_it_is_signed() {
    let token = "7:AA";
    let telegram = Telegram::new(token).unwrap();
    let sign = [
        (json!({ "query_id": "A" }), "launch data has no user"),
        (
            json!({ "user": { "first_name": "A" } }),
            "launch data has no user with an id",
        ),
    ];
    let order = sign.clone().map(|(data, _)| json!([data, 1_700_000_000]));
    let order = json!({ "token": token, "sign": order, "check": [] });
    let signed = answers_to(node_program("launch.cjs"), &order).await;
    for (data, (_, cause)) in signed.iter().zip(sign) {
        let refused = check(&telegram, "7", data.as_str().unwrap(), signed_at()).await;
        let expected = (ExchangeErrorKind::CodeRejected, cause.to_owned());
        assert_eq!(refused, Err(expected));
    }
}

#[tokio::test]
async fn of_several_bots_each_takes_its_own_launch_data_only() {
    let fake = FakeTelegram::new();
    let data = fake.init_data_at("alice", signed_at());
    let telegram = Telegram::new("7:AA").unwrap().with_third_party(8);
    let telegram = telegram.with_bot(fake.bot_token()).unwrap();
    assert_eq!(telegram.resolve(None), None);
    for (bot, is_taken) in [("7", false), ("8", false), (fake.appid(), true)] {
        assert_eq!(telegram.resolve(Some(bot)), Some(bot));
        let user = check(&telegram, bot, &data, signed_at()).await;
        assert_eq!(user.is_ok(), is_taken, "{bot}");
    }
}

#[tokio::test]
async fn what_the_published_package_signs_is_taken() {
    let token = "7000000003:AAThrowAwayTokenForThisTest";
    let telegram = Telegram::new(token).unwrap();
    let names = [
        "Ann",
        "a+b &=;%",
        "\u{5f20}\u{4e09}",
        "\u{1f600}",
        "\"\\/\n",
        "",
    ];
    let sign = |(id, name): (usize, &str)| {
        let user = json!({ "id": (1_u64 << 52) - 1 - id as u64, "first_name": name });
        json!([{ "user": user, "query_id": name, "start_param": "a b" }, 1_700_000_000])
    };
    let order: Vec<_> = names.into_iter().enumerate().map(sign).collect();
    // A line break in a bare field is nothing that Telegram sends.
    let order = Value::from(order)
        .to_string()
        .replace(r#""query_id":"\"\\/\n""#, r#""query_id":"""#);
    let order: Value = serde_json::from_str(&order).unwrap();
    let order = json!({ "token": token, "sign": order, "check": [] });
    let signed = answers_to(node_program("launch.cjs"), &order).await;
    assert_eq!(signed.len(), names.len());
    for (id, data) in signed.iter().enumerate() {
        let user = check(&telegram, "7000000003", data.as_str().unwrap(), signed_at()).await;
        assert_eq!(
            user,
            Ok(((1_u64 << 52) - 1 - id as u64).to_string()),
            "{data}"
        );
    }
}

#[tokio::test]
async fn what_the_fake_signs_is_taken_by_the_published_package() {
    let fake = FakeTelegram::new();
    let names = ["alice", "\u{5f20} +&=", "\"\\"];
    let mut check: Vec<_> = names.iter().map(|name| fake.init_data(name)).collect();
    let mut users: Vec<_> = names.iter().map(|name| json!(id(&fake, name))).collect();
    check.push(check[0].replace("alice", "mallory"));
    users.push(Value::Null);
    let order = json!({ "token": fake.bot_token(), "sign": [], "check": check });
    assert_eq!(answers_to(node_program("launch.cjs"), &order).await, users);
}

fn id(fake: &FakeTelegram, name: &str) -> u64 {
    fake.openid(name).parse().unwrap()
}

/// What is genuine and from the future is no fault of the client.
fn kind_of(cause: &str) -> ExchangeErrorKind {
    match cause.ends_with("see the clocks") {
        true => ExchangeErrorKind::Misconfigured,
        false => ExchangeErrorKind::CodeRejected,
    }
}
