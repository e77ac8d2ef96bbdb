//! Several platforms behind one login: whose users never meet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::Request;
use tower::ServiceExt;
use tower_wx_session::login::{
    CodePolicy, Credentials, ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, Login,
    LoginRequest, Platforms,
};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, RejectionKind, SessionKey, Sessions};

use super::answer::assert_refused;
use crate::support::golden::{LOGIN, golden};
use crate::support::http::Answer;
#[cfg(feature = "tracing")]
use crate::support::log::Log;
use crate::support::nodes::{node, node_with};
use crate::support::world::SECOND;

/// Vouches for the user `openid` of its apps, and notes what it was asked to exchange.
#[derive(Clone, Default)]
struct Provider {
    apps: &'static [&'static str],
    policy: Option<CodePolicy>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn of(apps: &'static [&'static str]) -> Self {
        Self {
            apps,
            ..Self::default()
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl IdentityProvider for Provider {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        match appid {
            Some(appid) => self.apps.iter().copied().find(|app| *app == appid),
            None if self.apps.len() == 1 => Some(self.apps[0]),
            None => None,
        }
    }

    fn code_policy(&self, appid: &str) -> CodePolicy {
        assert!(self.apps.contains(&appid), "{appid}");
        self.policy.unwrap_or(CodePolicy::one_time())
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let call = format!("{} {}", login.appid(), login.code());
        self.seen.lock().unwrap().push(call);
        let identity = Identity::new(login.appid(), "openid").with_unionid("unionid");
        let key = SessionKey::new(format!("key of {}", self.apps.len()));
        Ok(Exchanged::new(identity).with_session_key(key).once_per("x"))
    }
}

/// Answers with its only app, whatever it is asked for.
struct Stubborn;

impl IdentityProvider for Stubborn {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("only")
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        Ok(Exchanged::new(Identity::new(login.appid(), "openid")))
    }
}

struct Shop {
    clock: ManualClock,
    sessions: Sessions<MemoryStore>,
    login: Login<MemoryStore, Platforms>,
    qq: Provider,
}

impl Shop {
    fn new() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::with_clock(clock.clone());
        let sessions = node_with(&store, &clock, |builder| builder.sessions_per_user(1));
        let (wechat, qq) = (Provider::of(&["1109"]), Provider::of(&["1109"]));
        let platforms = Platforms::new(wechat)
            .with("qq", qq.clone())
            .and_then(|platforms| platforms.with("tt", Provider::of(&["one", "two"])))
            .and_then(|platforms| platforms.with("only-1", Stubborn));
        Self {
            login: Login::new(sessions.clone(), platforms.unwrap()),
            clock,
            sessions,
            qq,
        }
    }

    async fn post(&self, body: serde_json::Value, header: Option<&str>) -> Answer {
        let mut request = Request::post("/");
        if let Some(header) = header {
            request = request.header("x-wx-appid", header);
        }
        let request = request.body(body.to_string()).unwrap();
        let response = self.login.clone().oneshot(request).await.unwrap();
        Answer::read(response.map(reqwest::Body::wrap).into()).await
    }

    /// The appid of a new session, or why there is none.
    async fn log_in(&self, credentials: Credentials) -> Result<String, RejectionKind> {
        let issued = self.login.log_in(credentials).await;
        issued
            .map(|issued| issued.session().appid().to_owned())
            .map_err(|rejection| rejection.kind())
    }
}

#[tokio::test]
async fn the_client_names_the_platform_and_where_there_are_several_the_app() {
    let shop = Shop::new();
    // Platform and appid in the body, the header, the session's appid.
    let cases: &[[Option<&str>; 4]] = &[
        [None, None, None, Some("1109")],
        [None, Some("1109"), None, Some("1109")],
        [Some(""), Some(""), Some(""), Some("1109")],
        [Some("qq"), None, None, Some("qq:1109")],
        [Some("qq"), Some("1109"), None, Some("qq:1109")],
        [Some("qq"), Some("qq:1109"), Some("1109"), Some("qq:1109")],
        [Some("qq"), None, Some("qq"), Some("qq:1109")],
        [Some("qq"), None, Some("1109"), Some("qq:1109")],
        [None, None, Some("qq"), Some("qq:1109")],
        [None, None, Some("qq:1109"), Some("qq:1109")],
        [None, Some("qq"), Some("qq"), Some("qq:1109")],
        [Some("tt"), Some("two"), None, Some("tt:two")],
        [Some("tt"), None, Some("tt:two"), Some("tt:two")],
        [Some("only-1"), None, None, Some("only-1:only")],
        [Some("only-1"), Some("other"), None, Some("only-1:only")],
        [Some("tt"), None, None, None],
        [Some("tt"), Some("three"), None, None],
        [Some("tt"), Some("one"), Some("tt:two"), None],
        [Some("qq"), None, Some("tt:one"), None],
        [Some("QQ"), None, None, None],
        [Some("vk"), None, None, None],
        [Some("vk"), Some("1109"), None, None],
        [None, Some("vk:1109"), None, None],
        [None, Some(":1109"), None, None],
        [Some("q"), None, Some("qq"), None],
    ];
    for (turn, [platform, appid, header, expected]) in cases.iter().enumerate() {
        let body = serde_json::json!({
            "code": format!("code {turn}"),
            "platform": platform,
            "appid": appid,
        });
        let answer = shop.post(body, *header).await;
        if let Some(expected) = expected {
            let session = shop.sessions.check(&answer.token()).await.unwrap();
            assert_eq!(session.appid(), *expected, "case {turn}");
            assert_eq!(session.openid(), "openid");
        } else {
            assert_refused(&answer, golden(LOGIN, "bad request"));
        }
        // Nothing lasts until the next case.
        shop.clock.advance(6 * SECOND);
    }
    let number = shop.post(serde_json::json!({"code": "c", "platform": 1}), None);
    assert_refused(&number.await, golden(LOGIN, "bad request"));
}

#[tokio::test]
async fn users_of_different_platforms_with_equal_names_never_meet() {
    let shop = Shop::new();
    let of_wechat = shop.login.log_in("code").await.unwrap();
    let of_qq = Credentials::new("code").with_platform("qq");
    let of_qq = shop.login.log_in(of_qq).await.unwrap();
    let users = [&of_wechat, &of_qq].map(|issued| issued.session().identity().clone());
    assert_eq!(users[0].openid(), users[1].openid());
    assert_eq!(users[1].unionid(), Some("unionid"));
    assert_ne!(users[0], users[1]);
    assert_ne!(users[0].bucket(), users[1].bucket());
    for (user, issued) in users.iter().zip([&of_wechat, &of_qq]) {
        // A second session would have ended the first.
        shop.sessions.check(issued.token().expose()).await.unwrap();
        let sessions = shop.sessions.list(user).await.unwrap();
        let ids: Vec<_> = sessions.iter().map(|session| session.id()).collect();
        assert_eq!(ids, [issued.session().id()]);
    }
    shop.sessions.revoke_user(&users[0]).await.unwrap();
    shop.sessions.check(of_qq.token().expose()).await.unwrap();
    let keys = shop.sessions.session_key(&users[1]).await.unwrap();
    assert_eq!(keys.newest().unwrap().expose(), "key of 1");
}

#[tokio::test]
async fn one_app_is_one_app_by_whichever_name() {
    let shop = Shop::new();
    let named = |appid: &str| Credentials::new("a code").with_appid(appid);
    for credentials in [
        Credentials::new("a code").with_platform("qq"),
        Credentials::new("a code")
            .with_platform("qq")
            .with_appid("1109"),
        named("qq"),
        named("qq:1109"),
    ] {
        assert_eq!(shop.log_in(credentials).await.unwrap(), "qq:1109");
    }
    assert_eq!(shop.qq.seen(), ["1109 a code"]);
}

#[tokio::test]
async fn a_node_can_take_the_sessions_of_some_platforms_only() {
    let clock = ManualClock::new();
    let store = MemoryStore::with_clock(clock.clone());
    let sessions = node_with(&store, &clock, |builder| builder.appids(["wx", "qq:1109"]));
    let platforms = Platforms::new(Provider::of(&["wx"]))
        .with("qq", Provider::of(&["1109"]))
        .and_then(|platforms| platforms.with("tt", Provider::of(&["1109"])));
    let login = Login::new(sessions, platforms.unwrap());
    for (platform, is_taken) in [("qq", true), ("tt", false)] {
        let issued = login.log_in(Credentials::new("code").with_platform(platform));
        let kind = issued.await.map_err(|rejection| rejection.kind());
        assert_eq!(kind.err(), (!is_taken).then_some(RejectionKind::BadRequest));
    }
}

#[tokio::test]
async fn each_platform_has_codes_of_its_own_kind() {
    let (clock, store) = (ManualClock::new(), MemoryStore::new());
    let signed = Provider {
        policy: Some(CodePolicy::replayable(60 * SECOND)),
        ..Provider::of(&["bot"])
    };
    let platforms = Platforms::new(Provider::of(&["wx"])).with("telegram", signed);
    let login = Login::new(node(&store, &clock), platforms.unwrap());
    let long = "c".repeat(4000);
    let kind = |answer: Result<_, tower_wx_session::Rejection>| {
        answer.map(drop).map_err(|rejection| rejection.kind())
    };
    let of_telegram = |code: &str| Credentials::new(code).with_platform("telegram");
    let bad = Err(RejectionKind::BadRequest);
    assert_eq!(kind(login.log_in(long.as_str()).await), bad);
    assert_eq!(kind(login.log_in(of_telegram(&long)).await), Ok(()));
    let rejected = Err(RejectionKind::CodeRejected);
    assert_eq!(kind(login.log_in(of_telegram("the same")).await), rejected);
    assert_eq!(kind(login.log_in("the same").await), Ok(()));
}

#[test]
fn a_platform_has_a_plain_name_of_its_own() {
    let with = |names: &[&str]| {
        let mut platforms = Ok(Platforms::new(Stubborn));
        for name in names {
            platforms = platforms.and_then(|platforms| platforms.with(*name, Stubborn));
        }
        platforms.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with(&["qq", "telegram", "lark-2"]), Ok(()));
    for name in ["", "QQ", "q q", "qq:", "a_b", "微信", "qq\n"] {
        let error = with(&[name]).unwrap_err();
        assert!(
            error.starts_with("platform: expected lower-case ASCII"),
            "{error}"
        );
    }
    let error = with(&["qq", "tt", "qq"]).unwrap_err();
    assert_eq!(
        error,
        r#"platform: expected a name that was not given before, got "qq""#
    );
}

/// A platform that never answers, and says so of each exchange that it began.
struct Silent;

impl IdentityProvider for Silent {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("wx1")
    }

    async fn exchange(&self, _: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_does_not_answer_holds_up_no_other_s_logins() {
    let platforms = Platforms::new(Silent).with("qq", Provider::of(&["1"]));
    let login = Login::new(Sessions::new(MemoryStore::new()), platforms.unwrap());
    for number in 0..200 {
        let login = login.clone();
        tokio::spawn(async move { login.log_in(format!("code {number}")).await });
    }
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    let of_qq = Credentials::new("a code").with_platform("qq");
    login.log_in(of_qq).await.unwrap();
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

/// A platform that is down while `is_down`.
struct Flaky(Arc<AtomicBool>);

impl IdentityProvider for Flaky {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("1")
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(ExchangeError::new(ExchangeErrorKind::Unavailable)),
            false => Ok(Exchanged::new(Identity::new(login.appid(), login.code()))),
        }
    }
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn an_outage_of_one_platform_is_logged_once_by_its_name_while_others_work() {
    let (log, _guard) = Log::from(tracing::Level::INFO);
    let is_down = Arc::new(AtomicBool::new(true));
    let platforms = Platforms::new(Provider::of(&["wx1"])).with("qq", Flaky(is_down));
    let login = Login::new(Sessions::new(MemoryStore::new()), platforms.unwrap());
    for number in 0..3 {
        let code = format!("code {number}");
        login.log_in(&*code).await.unwrap();
        let of_qq = Credentials::new(code).with_platform("qq");
        login.log_in(of_qq).await.unwrap_err();
    }
    let text = log.text();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("login provider"))
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(
        lines[0].contains("failed") && lines[0].contains(r#"platform="qq""#),
        "{text}"
    );
}
