//! A handler that decrypts what the client sends, behind the layer, with the keys of real logins.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::join_all;
use http::Version;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_wx_session::login::{Credentials, Login, Platforms};
use tower_wx_session::open_data::{
    GroupInfo, OpenDataError, OpenDataErrorKind, PhoneNumber, UserInfo, WeRun,
};
use tower_wx_session::platform::Qq;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::{self, FakeQq, FakeTelegram, ManualClock, encrypt_open_data};
use tower_wx_session::{Identity, Session, SessionKey, Sessions};

use crate::support::http::{Answer, Server, client};
use crate::support::nodes::node;
use crate::support::world::{App, HOUR, SECOND, World};
use crate::support::{HookedStore, Op};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    encrypted_data: String,
    iv: String,
}

async fn phone(
    State(sessions): State<Sessions<HookedStore>>,
    session: Session,
    Json(sent): Json<Sent>,
) -> Result<Json<PhoneNumber>, OpenDataError> {
    Ok(Json(
        sessions
            .open_data(&session)
            .await?
            .decrypt(&sent.encrypted_data, &sent.iv)?,
    ))
}

/// The client, the platform behind it, and the application.
struct Place {
    world: World,
    app: App,
}

impl Place {
    async fn new() -> Self {
        let world = World::new().await;
        let phone = Router::new()
            .route("/phone", post(phone))
            .with_state(world.sessions.clone());
        let site = phone
            .layer(world.layer())
            .route_service("/login", world.login());
        let app = App {
            server: Server::start(site).await,
            client: client(Version::HTTP_11),
        };
        Self { world, app }
    }

    /// Logs in; the token, and the key that the platform has from now on.
    async fn log_in(&self, code: &str) -> (String, SessionKey) {
        let token = self.app.log_in(code).await.token();
        let session = self.world.sessions.check(&token).await.unwrap();
        let keys = self.world.sessions.session_key(session.identity()).await;
        (token, keys.unwrap().newest().unwrap().clone())
    }

    /// What the platform gives the client for its user.
    fn phone_number(&self, key: &SessionKey) -> Value {
        let data = json!({
            "phoneNumber": "13580006666",
            "purePhoneNumber": "13580006666",
            "countryCode": "86",
            "watermark": self.watermark(),
        });
        sent(key, &data)
    }

    fn watermark(&self) -> Value {
        let timestamp = self.world.clock.now().as_secs();
        json!({ "appid": self.world.fake.appid(), "timestamp": timestamp })
    }

    async fn send(&self, token: &str, sent: &Value) -> Answer {
        let request = self.app.client.post(self.app.server.url("/phone"));
        Answer::to(request.bearer_auth(token).json(sent)).await
    }
}

fn sent(key: &SessionKey, data: &Value) -> Value {
    let (encrypted_data, iv) = encrypt_open_data(key, &data.to_string()).unwrap();
    json!({ "encryptedData": encrypted_data, "iv": iv })
}

fn assert_refused(answer: &Answer, kind: OpenDataErrorKind) {
    let expected = json!({
        "errcode": kind.status().as_u16(),
        "errmsg": kind.message(),
        "reason": kind.reason(),
        "action": "none",
    });
    let headers = [
        ("cache-control", "no-store"),
        ("content-type", "application/json"),
        ("x-wx-action", "none"),
    ];
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, expected);
    assert_eq!(
        answer,
        &Answer::new(kind.status().as_u16(), &headers, &*answer.body)
    );
}

#[tokio::test]
async fn a_handler_answers_with_the_phone_number() {
    let place = Place::new().await;
    let (token, key) = place.log_in("alice:1").await;
    let answer = place.send(&token, &place.phone_number(&key)).await;
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["purePhoneNumber"], "13580006666");
    assert_eq!(body["watermark"], place.watermark());
}

#[tokio::test]
async fn data_that_was_fetched_before_another_login_opens_for_ten_minutes() {
    let place = Place::new().await;
    let (_, key) = place.log_in("alice:1").await;
    let fetched = place.phone_number(&key);
    let (token, newer) = place.log_in("alice:2").await;
    assert_ne!(key, newer);
    assert_eq!(place.send(&token, &fetched).await.status, 200);
    place.world.clock.advance(600 * SECOND);
    assert_eq!(place.send(&token, &fetched).await.status, 200);
    place.world.clock.advance(SECOND);
    assert_refused(
        &place.send(&token, &fetched).await,
        OpenDataErrorKind::Stale,
    );

    // The key itself is gone an hour after it was replaced.
    place.world.clock.advance(HOUR - 601 * SECOND);
    let late = place.send(&token, &place.phone_number(&key)).await;
    assert_refused(&late, OpenDataErrorKind::Undecryptable);
    let fresh = place.send(&token, &place.phone_number(&newer)).await;
    assert_eq!(fresh.status, 200);
}

#[tokio::test]
async fn a_client_that_logs_in_and_sends_data_at_the_same_time_is_served() {
    let place = Place::new().await;
    let (token, mut key) = place.log_in("alice:0").await;
    for round in 1..=20 {
        let fetched = place.phone_number(&key);
        let code = format!("alice:{round}");
        let sends = join_all((0..4).map(|_| place.send(&token, &fetched)));
        let ((_, newer), answers) = tokio::join!(place.log_in(&code), sends);
        for answer in answers {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        key = newer;
    }
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    use OpenDataErrorKind::{
        BadBase64, BadLength, FromFuture, NoSessionKey, Undecryptable, WrongType,
    };
    let place = Place::new().await;
    let (token, key) = place.log_in("alice:1").await;
    let (_, of_bob) = place.log_in("bob:1").await;
    let good = place.phone_number(&key);
    let with = |name: &str, value: &str| {
        let mut sent = good.clone();
        sent[name] = value.into();
        sent
    };
    let mut foreign = place.watermark();
    foreign["appid"] = "another app".into();
    let mut early = place.watermark();
    early["timestamp"] = (place.world.clock.now().as_secs() + 301).into();
    for (sent, kind) in [
        (with("encryptedData", "%"), BadBase64),
        (with("iv", "%"), BadBase64),
        (with("encryptedData", "YWJj"), BadLength),
        (with("iv", "YWJj"), BadLength),
        (place.phone_number(&of_bob), Undecryptable),
        (sent(&key, &json!({ "watermark": foreign })), Undecryptable),
        (sent(&key, &json!({ "phoneNumber": "1" })), Undecryptable),
        (sent(&key, &json!({ "watermark": early })), FromFuture),
        (
            sent(&key, &json!({ "watermark": place.watermark() })),
            WrongType,
        ),
    ] {
        assert_refused(&place.send(&token, &sent).await, kind);
    }

    // A session of a login without a session_key.
    let user = Identity::new(place.world.fake.appid(), "carol");
    let issued = place.world.sessions.issue(user).await.unwrap();
    let answer = place.send(issued.token().expose(), &good).await;
    assert_refused(&answer, NoSessionKey);
}

#[tokio::test]
async fn a_store_that_is_down_is_not_the_client_s_fault() {
    let place = Place::new().await;
    let (token, key) = place.log_in("alice:1").await;
    place.world.outage.of(&[Op::SessionKeys]);
    let answer = place.send(&token, &place.phone_number(&key)).await;
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .body
            .contains(r#""reason":"store_unavailable","action":"retry""#)
    );
    assert!(answer.headers.contains(&("retry-after".into(), "1".into())));
    place.world.outage.is_over();
    let answer = place.send(&token, &place.phone_number(&key)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_shared_store_without_a_seal_key_is_a_fault_of_the_server() {
    let clock = ManualClock::new();
    let store = tower_wx_session::store::MemoryStore::with_clock(clock.clone());
    let sessions = node(&HookedStore::new(store).shared(), &clock);
    let session = test_util::session(Identity::new("wx1", "alice"));
    let error = sessions.open_data(&session).await.unwrap_err();
    assert_eq!(error.kind(), OpenDataErrorKind::SessionKeysNotKept);
    assert_eq!(error.status(), 500);
}

#[tokio::test]
async fn each_kind_of_data_has_a_type() {
    let place = Place::new().await;
    let (token, key) = place.log_in("alice:1").await;
    let session = place.world.sessions.check(&token).await.unwrap();
    let data = place.world.sessions.open_data(&session).await.unwrap();
    let watermark = place.watermark();
    let encrypted = |mut fields: Value| {
        fields["watermark"] = watermark.clone();
        encrypt_open_data(&key, &fields.to_string()).unwrap()
    };

    // WeChat's documents show both.
    for code in [json!("86"), json!(86)] {
        let fields = json!({ "phoneNumber": "+1 2", "purePhoneNumber": "2", "countryCode": code });
        let (encrypted_data, iv) = encrypted(fields);
        let phone: PhoneNumber = data.decrypt(&encrypted_data, &iv).unwrap();
        assert_eq!((&*phone.phone_number, &*phone.country_code), ("+1 2", "86"));
        assert!(!format!("{phone:?}").contains("+1"));
    }

    let (encrypted_data, iv) =
        encrypted(json!({ "nickName": "微信用户", "city": "", "unionId": null }));
    let user: UserInfo = data.decrypt(&encrypted_data, &iv).unwrap();
    assert_eq!(user.nick_name.as_deref(), Some("微信用户"));
    assert_eq!(
        (user.city, user.union_id, user.open_id, user.gender),
        (None, None, None, 0)
    );

    let steps = json!({ "stepInfoList": [{ "timestamp": 1_445_866_601, "step": 100 }] });
    let (encrypted_data, iv) = encrypted(steps);
    let run: WeRun = data.decrypt(&encrypted_data, &iv).unwrap();
    let days: Vec<_> = run
        .step_info_list
        .iter()
        .map(|day| (day.timestamp, day.step))
        .collect();
    assert_eq!(days, [(1_445_866_601, 100)]);

    let (encrypted_data, iv) = encrypted(json!({ "openGId": "G1" }));
    let group: GroupInfo = data.decrypt(&encrypted_data, &iv).unwrap();
    assert_eq!(
        (group.opengid.as_deref(), group.chat_type),
        (Some("G1"), None)
    );
    let chat = json!({
        "opengid": "", "open_single_roomid": "R1", "group_openid": "U1", "chat_type": 1,
    });
    let (encrypted_data, iv) = encrypted(chat);
    let chat: GroupInfo = data.decrypt(&encrypted_data, &iv).unwrap();
    assert_eq!((chat.opengid, chat.chat_type), (None, Some(1)));
    assert_eq!(chat.open_single_roomid.as_deref(), Some("R1"));
    assert_eq!(chat.group_openid.as_deref(), Some("U1"));
}

#[cfg(feature = "qq")]
#[tokio::test]
async fn the_watermark_of_a_user_of_another_platform_names_its_app_alone() {
    let fake = FakeQq::start().await.unwrap();
    let qq = Qq::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    let platforms = Platforms::new(FakeTelegram::new()).with("qq", qq.unwrap());
    let sessions = Sessions::new(MemoryStore::new());
    let login = Login::new(sessions.clone(), platforms.unwrap());
    let alice = Credentials::new("alice:1").with_platform("qq");
    let issued = login.log_in(alice).await.unwrap();

    let keys = sessions.session_key(issued.session().identity()).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let watermark = json!({ "appid": fake.appid(), "timestamp": now.as_secs() });
    let text = json!({ "openGId": "G1", "watermark": watermark }).to_string();
    let (data, iv) = encrypt_open_data(keys.unwrap().newest().unwrap(), &text).unwrap();
    let opened = sessions.open_data(issued.session()).await.unwrap();
    assert_eq!(
        opened.decrypt::<Value>(&data, &iv).unwrap()["openGId"],
        "G1"
    );
}
