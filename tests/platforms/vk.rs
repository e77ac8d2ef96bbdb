//! VK's launch parameters: who is let in, and what a refusal says.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tower_wx_session::login::{ExchangeErrorKind, IdentityProvider, LoginRequest};
use tower_wx_session::platform::Vk;
use tower_wx_session::test_util::FakeVk;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// When the vectors were signed.
fn signed_at() -> SystemTime {
    UNIX_EPOCH + 1_700_000_000 * SECOND
}

/// The user's id, or why there is none.
async fn check(
    vk: &Vk,
    app: &str,
    query: &str,
    at: SystemTime,
) -> Result<String, (ExchangeErrorKind, String)> {
    let request = LoginRequest::new(app, query).at(at);
    match vk.exchange(request).await {
        Ok(exchanged) => {
            assert_eq!(exchanged.identity().appid(), app);
            assert_eq!(exchanged.identity().unionid(), None);
            assert!(exchanged.session_key().is_none());
            Ok(exchanged.identity().openid().to_owned())
        }
        Err(error) => Err((error.kind(), error.source().unwrap().to_string())),
    }
}

#[tokio::test]
async fn every_vector_has_the_verdict_that_the_published_packages_agree_on() {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let vectors = &vectors["vk"];
    let app = vectors["app_id"].to_string();
    let vk = Vk::new(&*app, vectors["secure_key"].as_str().unwrap());
    let mut played = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let (name, query) = (&case["name"], case["query"].as_str().unwrap());
        let user = check(&vk, &app, query, signed_at() + SECOND).await;
        if let Some(expected) = case["expect"].as_bool() {
            assert_eq!(user.is_ok(), expected, "{name}: {user:?}");
            played += 1;
        }
        assert!(user.is_err() || user == Ok("700001".into()), "{name}");
        let search = check(&vk, &app, &format!("?{query}"), signed_at() + SECOND).await;
        assert_eq!(search, user, "{name}, as location.search");
    }
    assert_eq!(played, 12, "verdicts");
}

#[tokio::test]
async fn every_refusal_is_a_rejected_code_and_says_the_cause_without_the_parameters() {
    let fake = FakeVk::new();
    let (app, at) = (fake.appid(), signed_at());
    let vk = Vk::new(app, fake.secure_key());
    let query = fake.launch_query_at("alice", at);
    let user = check(&vk, app, &query, at).await;
    assert_eq!(user, Ok(fake.openid("alice")));
    let other_key = Vk::new(app, "another key");
    let other_app = Vk::new("7", fake.secure_key());
    let wrong = "launch data is not signed by the platform for this app";
    let (signed, sign) = query.split_once("&sign=").unwrap();
    let table: &[(&Vk, &str, String, SystemTime, &str)] = &[
        (&vk, app, query.replace("user=1", "user=0"), at, wrong),
        (&vk, app, query.replace("&vk_ref=other", ""), at, wrong),
        (&vk, app, format!("{query}&vk_new="), at, wrong),
        (&vk, app, format!("{signed}&sign={}", &sign[1..]), at, wrong),
        (&vk, app, format!("{signed}&sign="), at, wrong),
        (&other_key, app, query.clone(), at, wrong),
        (
            &other_app,
            "7",
            query.clone(),
            at,
            "launch data is of another app",
        ),
        (
            &vk,
            app,
            query.clone(),
            at + HOUR,
            "launch data is older than 3600s",
        ),
        (
            &vk,
            app,
            query.clone(),
            at - 61 * SECOND,
            "launch data is from the future: see the clocks",
        ),
        (
            &vk,
            app,
            format!("{query}&vk_ref=other"),
            at,
            "launch data has a field twice",
        ),
        (
            &vk,
            app,
            format!("{query}&sign={sign}"),
            at,
            "launch data has a field twice",
        ),
        (
            &vk,
            app,
            format!("{query}&utm=1&utm=2"),
            at,
            "launch data has a field twice",
        ),
        (&vk, app, signed.to_owned(), at, "launch data has no sign"),
        (
            &vk,
            app,
            "broken".to_owned(),
            at,
            "launch data has no vk_app_id",
        ),
        (&vk, app, format!("https://example.com/?{query}"), at, wrong),
    ];
    for (vk, app, query, at, cause) in table {
        let refused = check(vk, app, query, *at).await;
        let expected = (kind_of(cause), (*cause).to_owned());
        assert_eq!(refused, Err(expected), "{query}");
    }
    let foreign = check(&vk, "7", &query, at).await.unwrap_err();
    let cause = "no such app is configured".to_owned();
    assert_eq!(foreign, (ExchangeErrorKind::BadRequest, cause));
}

#[tokio::test]
async fn of_several_apps_each_takes_its_own_launch_parameters_only() {
    let fake = FakeVk::new();
    let query = fake.launch_query_at("alice", signed_at());
    let vk = Vk::new("7", "key of 7").with_app(fake.appid(), fake.secure_key());
    assert_eq!(vk.resolve(None), None);
    for (app, is_taken) in [("7", false), (fake.appid(), true)] {
        assert_eq!(vk.resolve(Some(app)), Some(app));
        let user = check(&vk, app, &query, signed_at()).await;
        assert_eq!(user.is_ok(), is_taken, "{app}");
    }
}

/// What is genuine and from the future is no fault of the client.
fn kind_of(cause: &str) -> ExchangeErrorKind {
    match cause.ends_with("see the clocks") {
        true => ExchangeErrorKind::Misconfigured,
        false => ExchangeErrorKind::CodeRejected,
    }
}
