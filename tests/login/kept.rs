//! What a login leaves behind: the session before it, and the session_key.

use std::time::Duration;

use tower_wx_session::login::{IdentityProvider, Login, LoginRequest};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::{FakeWeChat, ManualClock};
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Identity, SessionKey};

use super::answer::assert_refused;
use super::moody::{Moody, begin};
use crate::support::golden::{LAYER, golden};
use crate::support::http::Answer;
use crate::support::nodes::node;
use crate::support::world::{HOUR, SECOND, World};

#[tokio::test]
async fn a_login_retires_the_live_token_that_it_presents_after_the_grace() {
    for header in ["authorization", "x-wx-skey"] {
        let world = World::new().await;
        let app = world.start().await;
        let old = app.log_in("alice:1").await.token();
        let other = app.log_in("alice:2").await.token();
        assert_eq!(app.me(&old).await.status, 200);
        let value = match header {
            "authorization" => format!("Bearer {old}"),
            _ => old.clone(),
        };
        let new = Answer::to(app.post_code("alice:3").header(header, value))
            .await
            .token();

        world.clock.advance(30 * SECOND - Duration::from_millis(1));
        for token in [&old, &other, &new] {
            assert_eq!(app.me(token).await.status, 200, "{header}");
        }
        world.clock.advance(Duration::from_millis(1));
        assert_refused(&app.me(&old).await, golden(LAYER, "replaced"));
        for token in [&other, &new] {
            assert_eq!(app.me(token).await.status, 200, "{header}");
        }
    }
}

#[tokio::test]
async fn a_login_leaves_everybody_else_s_token_alone() {
    let mut world = World::new().await;
    world.fake = world.fake.with_app("wxtwo", "secret of two");
    let wechat = world.wechat().with_app("wxtwo", "secret of two");
    let login = Login::new(world.sessions.clone(), wechat);
    let app = world.start_with(world.layer(), login).await;
    let log_in = |code: &str, appid: &str, presented: &str| {
        let request = app.post_code(code).header("x-wx-appid", appid.to_owned());
        Answer::to(request.bearer_auth(presented))
    };
    let one = world.fake.appid();
    let old = log_in("alice:1", one, "").await.token();
    log_in("bob:1", one, &old).await.token();
    log_in("alice:2", "wxtwo", &old).await.token();
    // Rubbish, and what is over, change nothing about the login.
    log_in("bob:2", one, "rubbish").await.token();
    let over = log_in("alice:3", one, "").await.token();
    let session = world.sessions.check(&over).await.unwrap();
    world.sessions.kick_out(&session).await.unwrap();
    log_in("alice:4", one, &over).await.token();

    world.clock.advance(31 * SECOND);
    assert_eq!(app.me(&old).await.status, 200);
    assert_refused(&app.me(&over).await, golden(LAYER, "kicked out"));
}

/// The session_key of a code, which the fake makes from nothing else.
async fn key_of(code: &str) -> String {
    let twin = FakeWeChat::start().await.unwrap();
    let wechat = WeChat::new(twin.appid(), twin.secret());
    let wechat = wechat.with_base_url(twin.base_url()).unwrap();
    let login = LoginRequest::new(twin.appid(), code);
    let exchanged = wechat.exchange(login).await.unwrap();
    exchanged.session_key().unwrap().expose().to_owned()
}

#[tokio::test]
async fn the_session_key_is_kept_and_never_leaves() {
    let world = World::new().await;
    let app = world.start().await;
    let first = app.log_in("alice:1").await;
    let user = world.sessions.check(&first.token()).await.unwrap();
    let user = user.identity().clone();
    let (key1, key2) = (key_of("alice:1").await, key_of("alice:2").await);
    let kept = async || {
        let keys = world.sessions.session_key(&user).await.unwrap();
        let text =
            |key: Option<&tower_wx_session::SessionKey>| key.map(|key| key.expose().to_owned());
        (text(keys.newest()), text(keys.previous()))
    };
    assert_eq!(kept().await, (Some(key1.clone()), None));

    let second = app.log_in("alice:2").await;
    assert_eq!(kept().await, (Some(key2.clone()), Some(key1.clone())));
    // A repeat is no login.
    let repeat = app.log_in("alice:1").await;
    assert_eq!(kept().await, (Some(key2.clone()), Some(key1.clone())));
    let me = app.me(&second.token()).await;
    for answer in [first, second, repeat, me] {
        let text = format!("{answer:?}");
        assert!(!text.contains(&key1) && !text.contains(&key2));
    }
    world.clock.advance(HOUR);
    assert_eq!(kept().await, (Some(key2), None));
}

#[tokio::test(start_paused = true)]
async fn the_newest_session_key_is_that_of_the_login_that_began_last() {
    let clock = ManualClock::new();
    let store = MemoryStore::with_clock(clock.clone());
    let sessions = node(&store, &clock);
    let login = Login::new(sessions.clone(), Moody);
    // They end in the order in which they did not begin.
    let codes = ["takes-300-a", "takes-200-b", "takes-100-c"];
    let mut logins = Vec::new();
    for code in codes {
        logins.extend(begin(&login, [code.to_owned()].into_iter()).await);
        clock.advance(Duration::from_millis(1));
    }
    for login in logins {
        login.await.unwrap().token();
    }
    let user = Identity::new("wxa", "openid");
    let keys = sessions.session_key(&user).await.unwrap();
    let kept: Vec<_> = keys.iter().map(SessionKey::expose).collect();
    assert_eq!(
        kept,
        ["c", "b", "a"].map(|code| {
            let code = codes.iter().find(|known| known.ends_with(code)).unwrap();
            format!("key of {code}")
        })
    );
    assert_eq!(keys.newest().unwrap().expose(), kept[0]);
    assert_eq!(keys.previous().unwrap().expose(), kept[1]);
}
