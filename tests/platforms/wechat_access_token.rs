//! Access tokens: one request for all who want one, ahead of the end, shared, and kept in outages.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tower_wx_session::Sessions;
use tower_wx_session::login::{SessionKeyCheck, Validity};
use tower_wx_session::store::SessionStore;
use tower_wx_session::test_util::{Fault, ManualClock};
use tower_wx_session::wechat::{ApiErrorKind, WeChat};
use tracing::Level;

use super::support::log::Log;
use super::support::nodes::{node_with, store_on_a_clock};
use super::support::{Op, switchable};
use super::wechat::{CHECK, STABLE_TOKEN, Site, wire};
use crate::support::errors::texts;
use crate::support::world::within_ten_seconds;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_request_is_as_documented() {
    let site = Site::start().await;
    site.token().await;
    let (appid, secret) = (site.fake.appid(), site.fake.secret());
    assert_eq!(
        wire(&site.last_request()),
        format!(
            "POST {STABLE_TOKEN} application/json \
             {{\"appid\":\"{appid}\",\"grant_type\":\"client_credential\",\"secret\":\"{secret}\"}}"
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_the_same_time_take_one_token() {
    let site = Site::start().await;
    let mut calls = JoinSet::new();
    for _ in 0..1000 {
        let (wechat, appid) = (site.wechat.clone(), site.fake.appid().to_owned());
        calls.spawn(async move { wechat.access_token(&appid).await.unwrap() });
    }
    let tokens = calls.join_all().await;
    assert!(tokens.windows(2).all(|two| two[0] == two[1]));
    assert_eq!(site.token_requests(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_nothing() {
    let site = Site::start().await;
    let (wechat, appid) = (site.wechat.clone(), site.fake.appid().to_owned());
    let caller = tokio::spawn(async move { wechat.access_token(&appid).await });
    while site.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    site.token().await;
    assert_eq!(site.token_requests(), 1);
}

#[tokio::test]
async fn a_token_is_replaced_in_its_last_five_minutes() {
    let site = Site::start().await;
    let first = site.token().await;
    site.advance(2 * HOUR - 5 * MINUTE - SECOND);
    assert_eq!(site.token().await, first);
    assert_eq!(site.token_requests(), 1);

    site.advance(2 * SECOND);
    assert_eq!(site.token().await, first, "nobody waits");
    let replaced = async {
        while site.token().await == first {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within_ten_seconds(replaced).await;
    assert_eq!(site.token_requests(), 2);
}

#[tokio::test]
async fn an_outage_of_the_endpoint_is_not_seen_while_the_token_is_good() {
    let (log, _guard) = Log::from(Level::INFO);
    let site = Site::start().await;
    let first = site.token().await;
    site.advance(2 * HOUR - 5 * MINUTE);
    for fault in [
        Fault::Busy,
        Fault::Reset,
        Fault::Error5xx,
        Fault::Errcode(45011),
    ] {
        site.fake.fail_access_tokens(Some(fault));
        let before = site.token_requests();
        while site.token_requests() == before {
            assert_eq!(site.token().await, first, "{fault:?}");
            tokio::task::yield_now().await;
        }
        site.advance(10 * SECOND);
    }
    site.advance(5 * MINUTE);
    let error = site
        .wechat
        .access_token(site.fake.appid())
        .await
        .unwrap_err();
    let a_minute = ApiErrorKind::RateLimited(MINUTE);
    assert_eq!(error.kind(), a_minute);

    site.fake.fail_access_tokens(None);
    site.advance(SECOND);
    assert_ne!(site.token().await, first);
    let events = log.take("access token");
    assert_eq!(events.len(), 2, "{events:#?}");
    assert!(events[0].contains("WARN") && events[0].contains("errcode -1: system busy"));
    assert!(events[1].contains("INFO") && events[1].contains("failures="));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_refusals_takes_one_token_and_no_user_notices() {
    let site = Site::start().await;
    let (user, key) = site.log_in("alice:1").await;
    site.token().await;
    site.fake.expire_access_tokens();
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let (wechat, user, key) = (site.wechat.clone(), user.clone(), key.clone());
        calls.spawn(async move { wechat.check_session_key(&user, &key).await });
    }
    for validity in calls.join_all().await {
        assert!(matches!(validity, Validity::Valid), "{validity:?}");
    }
    assert_eq!(site.token_requests(), 2);
    assert!(site.fake.requests_to(CHECK) <= 400);
}

#[tokio::test]
async fn a_token_that_wechat_hands_out_and_refuses_is_forced_within_the_quota() {
    let site = Site::start().await;
    let (user, key) = site.log_in("alice:1").await;
    let check = || site.wechat.check_session_key(&user, &key);
    let first = site.token().await;
    site.fake.spoil_access_tokens();
    assert!(matches!(check().await, Validity::Valid));
    assert_ne!(site.token().await, first);
    let bodies: Vec<_> = (site.fake.received().iter())
        .filter(|request| request.uri().path() == STABLE_TOKEN)
        .map(|request| String::from_utf8_lossy(request.body()).contains("\"force_refresh\":true"))
        .collect();
    assert_eq!(bodies, [false, false, true]);

    site.fake.spoil_access_tokens();
    site.advance(SECOND);
    let Validity::CannotTell(error) = check().await else {
        panic!("it was refused");
    };
    assert!(texts(&error).contains("force_refresh is allowed every 30 s"));
    let appid = site.fake.appid();
    let token = site.wechat.access_token(appid).await.unwrap();
    let error = site.wechat.access_token_instead_of(appid, &token).await;
    let wait = ApiErrorKind::RateLimited(29 * SECOND);
    assert_eq!(error.unwrap_err().kind(), wait);

    site.advance(29 * SECOND);
    assert!(matches!(check().await, Validity::Valid));
}

#[tokio::test]
async fn a_token_that_users_report_is_replaced_once() {
    let site = Site::start().await;
    let appid = site.fake.appid();
    let old = site.wechat.access_token(appid).await.unwrap();
    site.fake.expire_access_tokens();
    let new = site
        .wechat
        .access_token_instead_of(appid, &old)
        .await
        .unwrap();
    assert_ne!(new, old);
    let late = site
        .wechat
        .access_token_instead_of(appid, &old)
        .await
        .unwrap();
    assert_eq!((late, site.token_requests()), (new, 2));
    assert_eq!(format!("{old:?}"), "AccessToken(..)");
}

/// A node's own `WeChat`, which knows of the others by the store alone.
fn wechat_of<S: SessionStore>(site: &Site, sessions: &Sessions<S>) -> WeChat {
    WeChat::new(site.fake.appid(), site.fake.secret())
        .with_base_url(site.fake.base_url())
        .unwrap()
        .clock(site.clock.clone())
        .sharing_access_tokens(sessions)
        .unwrap()
}

fn sealed<S: SessionStore + Clone>(store: &S, clock: &ManualClock) -> Sessions<S> {
    node_with(store, clock, |builder| builder.seal_key([7; 32]))
}

#[tokio::test]
async fn nodes_share_a_token_through_the_store_and_sealed() {
    let site = Site::start().await;
    let (clock, store) = store_on_a_clock();
    let store = store.shared();
    let appid = site.fake.appid();
    let (one, two) = (sealed(&store, &clock), sealed(&store, &clock));
    let first = wechat_of(&site, &one).access_token(appid).await.unwrap();
    let second = wechat_of(&site, &two).access_token(appid).await.unwrap();
    assert_eq!((&first, site.token_requests()), (&second, 1));

    let nobody = tower_wx_session::Identity::new(appid, "\u{0}access_token");
    let kept = store.session_keys(nobody).await.unwrap();
    assert_eq!(kept.len(), 1);
    let in_store = String::from_utf8_lossy(&kept[0]).into_owned();
    assert!(!in_store.contains(first.expose()));

    let stranger = node_with(&store, &clock, |builder| builder.seal_key([8; 32]));
    wechat_of(&site, &stranger)
        .access_token(appid)
        .await
        .unwrap();
    assert_eq!(site.token_requests(), 2, "another key opens nothing");
}

#[tokio::test]
async fn sessions_that_are_gone_share_nothing() {
    let site = Site::start().await;
    let (clock, store) = store_on_a_clock();
    let sessions = sealed(&store, &clock);
    let wechat = wechat_of(&site, &sessions);
    drop(sessions);
    wechat.access_token(site.fake.appid()).await.unwrap();
    let calls = store.calls(Op::SessionKeys) + store.calls(Op::PutSessionKey);
    assert_eq!((calls, site.token_requests()), (0, 1));
}

#[tokio::test]
async fn the_second_node_takes_what_the_first_has_replaced() {
    let site = Site::start().await;
    let (clock, store) = store_on_a_clock();
    let appid = site.fake.appid();
    let nodes = (sealed(&store, &clock), sealed(&store, &clock));
    let (one, two) = (wechat_of(&site, &nodes.0), wechat_of(&site, &nodes.1));
    let old = one.access_token(appid).await.unwrap();
    assert_eq!(two.access_token(appid).await.unwrap(), old);
    site.fake.spoil_access_tokens();
    clock.advance(SECOND);
    let new = one.access_token_instead_of(appid, &old).await.unwrap();
    let requests = site.token_requests();
    assert_eq!(two.access_token_instead_of(appid, &old).await.unwrap(), new);
    assert_eq!(site.token_requests(), requests);
}

#[tokio::test]
async fn a_store_that_is_down_means_that_wechat_is_asked() {
    let site = Site::start().await;
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = sealed(&store, &clock);
    let wechat = wechat_of(&site, &sessions);
    is_down.store(true, Ordering::SeqCst);
    wechat.access_token(site.fake.appid()).await.unwrap();
    assert_eq!(site.token_requests(), 1);
}

#[tokio::test]
async fn a_store_that_others_read_shares_nothing_unsealed() {
    let site = Site::start().await;
    let (clock, store) = store_on_a_clock();
    let sessions = node_with(&store.shared(), &clock, |builder| builder);
    let error = site.wechat.sharing_access_tokens(&sessions).unwrap_err();
    assert!(error.to_string().contains("a seal_key"), "{error}");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn nodes_share_a_token_through_redis_until_its_end() {
    use super::support::redis::RedisServer;

    let site = Site::start().await;
    let server = RedisServer::start().await;
    let appid = site.fake.appid();
    let store = server.store();
    let sessions = || {
        Sessions::builder(store.clone())
            .seal_key([7; 32])
            .build()
            .unwrap()
    };
    let (one, two) = (sessions(), sessions());
    let (one, two) = (wechat_of(&site, &one), wechat_of(&site, &two));
    let first = one.access_token(appid).await.unwrap();
    assert_eq!(two.access_token(appid).await.unwrap(), first);
    assert_eq!(site.token_requests(), 1);
}
