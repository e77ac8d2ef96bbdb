//! session_keys are kept sealed, also beside the release before.

use tower::ServiceExt;
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
use tower_wx_session::store::{PutSessionKey, SessionStore, Timestamp};
use tower_wx_session::{SessionKey, Sessions};

use super::records::{HOUR, key_with, user};
use crate::support::nodes::node_in_real_time;
use crate::support::redis::{Client, RedisServer};

/// Everybody is the same user, and has the same session_key.
struct Platform;

impl IdentityProvider for Platform {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("wx4f4bc4dec97d474b")
    }

    async fn exchange(&self, _: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        Ok(Exchanged::new(user()).with_session_key(SessionKey::new("HyVFkGl5F5OQ")))
    }
}

#[tokio::test]
async fn session_keys_are_kept_sealed() {
    let server = RedisServer::start().await;
    let client = server.client().await;
    let with_seal = |key| Sessions::builder(server.store()).seal_key(key).build();
    let (sessions, other) = (with_seal([7; 32]).unwrap(), with_seal([8; 32]).unwrap());
    let unsealed = node_in_real_time(server.store());
    let login = Login::new(sessions.clone(), Platform);
    let request = http::Request::post("/login").body(String::from("{\"code\":\"a\"}"));
    let answer = login.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);

    let keys = sessions.session_key(&user()).await.unwrap();
    assert_eq!(keys.newest().unwrap().expose(), "HyVFkGl5F5OQ");
    assert_eq!(other.session_key(&user()).await.unwrap().newest(), None);
    let error = unsealed.session_key(&user()).await.unwrap_err();
    assert!(error.to_string().contains("seal_key"), "{error}");
    let kept: Vec<Vec<u8>> = client
        .ask(&["HVALS", &key_with(&client, ":k:").await])
        .await;
    let in_the_open = |text: &[u8]| text.windows(12).any(|part| part == b"HyVFkGl5F5OQ");
    assert!(!kept.iter().any(|text| in_the_open(text)));
}

/// What the release before does with a session_key of one letter.
async fn put_by_release_before(client: &Client, key: &str, letter: &str) {
    let script = include_str!("../support/put_session_key_before.lua");
    let (print, hour) = (letter.repeat(16), "3600000");
    let call = ["EVAL", script, "1", key, "", "", &print, letter, hour, hour];
    client.ask::<()>(&call).await;
}

/// What the release before finds: of each field, what comes after version, end and fingerprint.
async fn found_by_release_before(client: &Client, key: &str) -> Vec<String> {
    let fields: Vec<Option<Vec<u8>>> = client.ask(&["HMGET", key, "n", "p"]).await;
    let keys = fields.into_iter().flatten();
    keys.map(|field| String::from_utf8(field[23..].to_vec()).unwrap())
        .collect()
}

#[tokio::test]
async fn session_keys_are_read_and_written_beside_the_release_before() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let start = store.now().await.unwrap();
    let put = async |letter: &str, began: u64| {
        let began = Timestamp::from_millis(start.as_millis() - 1000 + began);
        let print = letter.repeat(16).into_bytes().try_into().unwrap();
        let put = PutSessionKey::new(user(), letter.into(), print, HOUR, HOUR);
        store.put_session_key(put.began_at(began)).await.unwrap();
    };
    let found = async || {
        let keys = store.session_keys(user()).await.unwrap();
        keys.concat()
            .into_iter()
            .map(char::from)
            .collect::<String>()
    };
    for (letter, began) in [("a", 100), ("c", 300), ("b", 200)] {
        put(letter, began).await;
    }
    let key = key_with(&client, ":k:").await;
    assert_eq!(found().await, "cba");
    assert_eq!(found_by_release_before(&client, &key).await, ["c", "b"]);

    // It moves its two along, and leaves what it does not know alone.
    put_by_release_before(&client, &key, "d").await;
    assert_eq!(found().await, "dca");
    put("e", 500).await;
    put("B", 200).await;
    assert_eq!(found().await, "edcBa");
    assert_eq!(found_by_release_before(&client, &key).await, ["e", "d"]);

    // The newest one again, and one that this release has in a field of its own.
    put_by_release_before(&client, &key, "e").await;
    assert_eq!(found().await, "edcBa");
    put_by_release_before(&client, &key, "c").await;
    put("f", 900).await;
    assert_eq!(found().await, "fceBa");

    // A user whom only the release before has seen.
    client.ask::<()>(&["DEL", &key]).await;
    put_by_release_before(&client, &key, "x").await;
    put_by_release_before(&client, &key, "y").await;
    assert_eq!(found().await, "yx");
    put("z", 900).await;
    assert_eq!(found().await, "zyx");
    let left: i64 = client.ask(&["PTTL", &key]).await;
    assert!(left > 3_590_000, "{left}");
}
