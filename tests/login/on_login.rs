//! What the application says to a login.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use http::Version;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tower_wx_session::login::{Login, Refusal};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Identity, Session, SessionLayer};

use super::answer::{assert_refused, assert_rejected};
use super::moody::{log_in_at, moody};
use crate::support::Op;
use crate::support::golden::{LOGIN, golden};
use crate::support::http::{Server, client};
use crate::support::world::{App, SECOND, World, within_ten_seconds};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    role: String,
    level: u8,
}

fn profile_of(identity: &Identity) -> Profile {
    let role = format!("member {}", identity.openid());
    Profile { role, level: 7 }
}

async fn app_with_profiles(
    world: &World,
    login: Login<crate::support::HookedStore, WeChat>,
) -> App {
    let profile = async |session: Session| {
        let profile = session.data::<Profile>().unwrap();
        profile.map_or("none".to_owned(), |profile| {
            format!("{} {}", profile.role, profile.level)
        })
    };
    let app = Router::new()
        .route("/me", get(profile))
        .layer(SessionLayer::new(world.sessions.clone()))
        .route_service("/login", login);
    App {
        server: Server::start(app).await,
        client: client(Version::HTTP_11),
    }
}

#[tokio::test]
async fn what_on_login_returns_is_the_data_of_the_session() {
    let world = World::new().await;
    let plain = app_with_profiles(&world, world.login()).await;
    let token = plain.log_in("alice:0").await.token();
    assert_eq!(plain.me(&token).await.body, "none");
    let openid = world
        .sessions
        .check(&token)
        .await
        .unwrap()
        .openid()
        .to_owned();

    let without_captures = world
        .login()
        .on_login(async |identity: &Identity| Ok(profile_of(identity)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_hook = Arc::clone(&seen);
    let with_a_capture = world.login().on_login(move |identity: &Identity| {
        let (seen, profile) = (Arc::clone(&seen_by_hook), profile_of(identity));
        async move {
            seen.lock().unwrap().push(profile.clone());
            Ok(profile)
        }
    });
    for (login, code) in [(without_captures, "alice:1"), (with_a_capture, "alice:2")] {
        let app = app_with_profiles(&world, login).await;
        let token = app.log_in(code).await.token();
        assert_eq!(app.me(&token).await.body, format!("member {openid} 7"));
    }
    assert_eq!(seen.lock().unwrap().len(), 1);

    let nothing = world.login().on_login(async |_: &Identity| Ok(()));
    let app = app_with_profiles(&world, nothing).await;
    let token = app.log_in("alice:3").await.token();
    assert_eq!(app.me(&token).await.body, "none");
}

#[tokio::test]
async fn on_login_refuses_the_blocked_and_leaves_no_session() {
    let world = World::new().await;
    let login = world
        .login()
        .on_login(async |_: &Identity| Err::<(), _>(Refusal::blocked()));
    let app = world.start_with(world.layer(), login).await;
    assert_refused(&app.log_in("alice:1").await, golden(LOGIN, "user blocked"));
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(world.store.calls(Op::Insert), 0);
}

#[tokio::test]
async fn on_login_that_cannot_tell_costs_no_second_exchange() {
    let world = World::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let login = world.login().on_login(move |_: &Identity| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 | 1 => Err(Refusal::unavailable("no database")),
                _ => Ok(()),
            }
        }
    });
    let app = world.start_with(world.layer(), login).await;
    for _ in 0..2 {
        let refusal = app.log_in("alice:1").await;
        assert_refused(&refusal, golden(LOGIN, "provider unavailable"));
    }
    app.log_in("alice:1").await.token();
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_panic_in_on_login_ends_that_login_only() {
    let world = World::new().await;
    let is_first = AtomicUsize::new(0);
    let login = world.login().on_login(move |_: &Identity| {
        let is_first = is_first.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            assert!(!is_first, "a panic that the test wants");
            Ok(())
        }
    });
    let app = world.start_with(world.layer(), login).await;
    let unavailable = golden(LOGIN, "provider unavailable");
    assert_refused(
        &within_ten_seconds(app.log_in("alice:1")).await,
        unavailable,
    );
    app.log_in("bob:1").await.token();

    let repeat = within_ten_seconds(app.log_in("alice:1")).await;
    assert!([400, 503].contains(&repeat.status), "{repeat:?}");
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
}

#[tokio::test(start_paused = true)]
async fn on_login_that_hangs_ends_by_the_deadline() {
    let login = moody(&ManualClock::new()).with_deadline(3 * SECOND);
    let login = login.on_login(async |identity: &Identity| {
        if identity.openid() == "bob" {
            pending::<()>().await;
        }
        Ok(())
    });
    let started = Instant::now();
    let refusal = log_in_at(&login, "bob").await;
    assert_refused(&refusal, golden(LOGIN, "provider unavailable"));
    let took = started.elapsed();
    assert!(took >= 3 * SECOND && took < 4 * SECOND, "{took:?}");

    assert_rejected(&log_in_at(&login, "bob").await);
    log_in_at(&login, "alice").await.token();
}

#[tokio::test]
async fn data_that_is_no_json_is_a_mistake_of_ours() {
    let login = moody(&ManualClock::new()).on_login(async |_: &Identity| {
        let keys_are_no_text = HashMap::from([((1, 2), 3)]);
        Ok(keys_are_no_text)
    });
    let refusal = log_in_at(&login, "alice").await;
    assert_refused(&refusal, golden(LOGIN, "misconfigured"));
    assert_rejected(&log_in_at(&login, "alice").await);
}
