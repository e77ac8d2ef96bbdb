//! A whole run under watch.

use std::sync::LazyLock;

use tower_wx_session::Identity;
use tower_wx_session::login::{Exchanged, IdentityProvider, Login, LoginRequest, Refusal};
use tower_wx_session::store::RevokeReason;
use tower_wx_session::test_util::FakeWeChat;
use tower_wx_session::wechat::WeChat;
use tracing_subscriber::util::SubscriberInitExt;

use super::secrets::{DATA, SECRET, Secrets, code, debug};
use crate::support::Op;
use crate::support::errors::texts;
use crate::support::http::Answer;
use crate::support::log::Log;
use crate::support::world::{App, HOUR, SECOND, World};

/// All that this process has logged: there is one subscriber for all threads.
pub static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish()
        .init();
    log
});

/// The run under watch: what was seen on the way, by place, and the secrets in it.
struct Run {
    world: World,
    secrets: Secrets,
    seen: Vec<(String, String)>,
}

impl Run {
    async fn start() -> (Self, App) {
        let mut world = World::with(|sessions| sessions.store_deadline(SECOND)).await;
        world.fake = world.fake.with_app("wxcanary", SECRET);
        let mut secrets = Secrets::default();
        secrets.add(SECRET);
        secrets.add(DATA);
        let wechat = WeChat::new("wxcanary", SECRET).with_base_url(world.fake.base_url());
        let wechat = wechat.unwrap().with_timeout(SECOND / 5);
        let login = Login::new(world.sessions.clone(), wechat).on_login(on_login);
        let app = world.start_with(world.layer(), login).await;
        let seen = Vec::new();
        (
            Self {
                world,
                secrets,
                seen,
            },
            app,
        )
    }

    fn note(&mut self, place: &str, text: String) {
        self.seen.push((place.to_owned(), text));
    }

    /// Sends a code, which is a secret, and so are the token and the session_key it gives.
    async fn log_in(&mut self, app: &App, name: &str) -> Answer {
        let code = code(name);
        self.secrets.add(code.split_once(':').unwrap().1);
        let answer = app.log_in(&code).await;
        if answer.status == 200 {
            let token = answer.token();
            self.secrets.add(token.strip_prefix("wxs_").unwrap());
            let shown = format!("{answer:?}").replace(&token, "");
            self.note(&format!("the answer to {code}"), shown);
        } else {
            self.note(&format!("the answer to {code}"), format!("{answer:?}"));
        }
        answer
    }

    async fn visit(&mut self, app: &App, token: &str) -> u16 {
        let answer = app.me(token).await;
        let status = answer.status;
        self.note("an answer", format!("{answer:?}"));
        let rejection = self.world.sessions.check(token).await.err();
        if let Some(rejection) = rejection {
            self.note("a rejection", texts(&rejection));
        }
        status
    }
}

pub async fn on_login(identity: &Identity) -> Result<&'static str, Refusal> {
    match identity.openid() {
        openid if openid == openid_of("banned").await => Err(Refusal::blocked()),
        openid if openid == openid_of("unlucky").await => Err(Refusal::unavailable("no database")),
        _ => Ok(DATA),
    }
}

/// The fake makes it from the app and the name alone.
async fn openid_of(name: &str) -> String {
    exchange(&format!("{name}:1"))
        .await
        .identity()
        .openid()
        .to_owned()
}

async fn exchange(code: &str) -> Exchanged {
    let twin = FakeWeChat::start()
        .await
        .unwrap()
        .with_app("wxcanary", SECRET);
    let wechat = WeChat::new("wxcanary", SECRET).with_base_url(twin.base_url());
    let request = LoginRequest::new("wxcanary", code);
    wechat.unwrap().exchange(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_run_tells_no_secret() {
    let _ = &*LOG;
    #[cfg(feature = "metrics")]
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new()
        .install_recorder()
        .unwrap();
    let (mut run, app) = Run::start().await;

    // Logins of every kind.
    let (mut tokens, mut openids) = (Vec::new(), Vec::new());
    for name in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        let answer = run.log_in(&app, name).await;
        assert_eq!(run.log_in(&app, name).await, answer, "a repeat");
        tokens.push(answer.token());
        let exchanged = exchange(&code(name)).await;
        run.secrets.add(exchanged.session_key().unwrap().expose());
        openids.push(exchanged.identity().openid().to_owned());
        let keys = run
            .world
            .sessions
            .session_key(exchanged.identity())
            .await
            .unwrap();
        assert_eq!(keys.newest(), exchanged.session_key());
        run.note("an exchange", debug(&exchanged));
        run.note("session_keys", debug(&keys));
    }
    for (name, status) in [
        ("busy", 503),
        ("blocked", 403),
        ("limited", 429),
        ("quota", 429),
        ("errcode-40029", 400),
        ("errcode-41008", 400),
        ("errcode-40125", 500),
        ("errcode-12345", 500),
        ("string-errcode", 400),
        ("empty-openid", 503),
        ("broken", 503),
        ("error5xx", 503),
        ("cut", 503),
        ("reset", 503),
        ("slow", 503),
        ("slowbody", 503),
        ("banned", 403),
        ("unlucky", 503),
    ] {
        assert_eq!(run.log_in(&app, name).await.status, status, "{name}");
    }
    for body in [
        "{\"code\":\"cAnArYcOdE-unreadable\"",
        "[\"cAnArYcOdE-unreadable\"]",
    ] {
        run.secrets.add("cAnArYcOdE-unreadable");
        let request = app.client.post(app.server.url("/login")).body(body);
        let answer = Answer::to(request.bearer_auth(&tokens[0])).await;
        assert_eq!(answer.status, 400);
        run.note("a bad request", format!("{answer:?}"));
    }

    // Sessions of every kind of end.
    let sessions = run.world.sessions.clone();
    for token in &tokens {
        assert_eq!(run.visit(&app, token).await, 200);
    }
    let session = async |at: usize| sessions.check(&tokens[at]).await.unwrap();
    let alice = session(0).await;
    run.note("a session", debug(&alice));
    let rotated = sessions.rotate(alice.id()).await.unwrap();
    run.secrets
        .add(rotated.token().expose().strip_prefix("wxs_").unwrap());
    run.note(
        "an issued session",
        debug(&rotated) + &debug(rotated.token()),
    );
    // Once the new token was used, and the store knows, the old one can be rotated no more.
    sessions.check(rotated.token().expose()).await.unwrap();
    sessions.shutdown().await.unwrap();
    let again = sessions.rotate(alice.id()).await.unwrap_err();
    run.note("a refused rotation", texts(&again));
    let unreadable = alice.data::<u64>().unwrap_err();
    run.note("data of another type", texts(&unreadable));
    sessions
        .revoke(&session(1).await, RevokeReason::LoggedOut)
        .await
        .unwrap();
    sessions.kick_out(&session(2).await).await.unwrap();
    sessions
        .revoke_user(session(3).await.identity())
        .await
        .unwrap();
    sessions.revoke_others(&session(4).await).await.unwrap();
    for (token, status) in tokens.iter().zip([200, 401, 401, 401, 200, 200]) {
        assert_eq!(run.visit(&app, token).await, status);
    }
    let both = app
        .client
        .get(app.server.url("/me"))
        .bearer_auth(&tokens[0]);
    let both = Answer::to(both.header("x-wx-skey", &tokens[4])).await;
    assert_eq!(both.status, 400);
    run.note("several tokens", format!("{both:?}"));
    let cut = &tokens[4][..60];
    let query = app.client.get(app.server.url("/me")).bearer_auth(cut);
    let malformed = Answer::to(query).await;
    assert_eq!(malformed.status, 401);
    run.note("a malformed token", format!("{malformed:?}"));

    // A store that fails.
    run.world.outage.of(&[Op::Insert]);
    assert_eq!(run.log_in(&app, "greta").await.status, 503);
    run.world.outage.of(&[Op::PutSessionKey]);
    assert_eq!(run.log_in(&app, "heidi").await.status, 503);
    run.world.outage.of_all();
    assert_eq!(run.log_in(&app, "ivan").await.status, 503);
    run.world.clock.advance(90 * SECOND);
    assert_eq!(run.visit(&app, &tokens[4]).await, 503);
    let keys = sessions.session_key(alice.identity()).await.unwrap_err();
    run.note("session_keys without a store", texts(&keys));
    let pending = sessions.kick_out(alice.identity()).await.unwrap();
    run.note("a pending revocation", debug(&pending));
    let list = sessions.list(alice.identity()).await.unwrap_err();
    run.note("a list without a store", texts(&list));
    run.world.outage.is_over();
    sessions.shutdown().await.unwrap();

    // Time passes.
    assert_eq!(run.visit(&app, &tokens[4]).await, 200);
    run.world.clock.advance(3 * HOUR);
    assert_eq!(run.visit(&app, &tokens[5]).await, 401);
    run.world.clock.advance(1000 * HOUR);
    assert_eq!(run.visit(&app, &tokens[4]).await, 401);
    sessions.shutdown().await.unwrap();

    assert!(run.seen.len() > 60 && run.secrets.0.len() > 60);
    for (place, text) in &run.seen {
        run.secrets.assert_none_in(place, text);
    }
    run.secrets.assert_none_in("the log", &LOG.text());
    #[cfg(feature = "metrics")]
    {
        let metrics = metrics.render();
        run.secrets.assert_none_in("the metrics", &metrics);
        assert!(metrics.contains(r#"wx_session_logins_total{outcome="issued"} 6"#));
        assert!(metrics.contains(r#"wx_session_logins_total{outcome="replayed"} 6"#));
        assert!(!openids.iter().any(|openid| metrics.contains(openid)));
    }
    let is_ours = |line: &&str| line.contains(" tower_wx_session: ");
    let ours: String = LOG.text().lines().filter(is_ours).collect();
    assert!(!openids.iter().any(|openid| ours.contains(openid)));
    for span in [
        "session check",
        "session login",
        "session revocation",
        "session store",
    ] {
        assert!(ours.contains(span), "{span} is not in the log");
    }

    // What operators are to see.
    let log = LOG.text();
    for event in [
        "login provider failed",
        "login provider refused our configuration: errcode 40125: invalid appsecret, rid: ",
        "login provider refused our configuration: errcode 12345: error, rid: ",
        "login provider unavailable: errcode -1: system busy, rid: ",
        "login provider's quota used up: errcode 45009: ",
        "login provider unavailable: timed out after 200ms",
        "application could not decide whether the user may log in: no database",
        "session store failed",
        "the test has it down",
        "revocation pending until the session store is back",
    ] {
        assert!(log.contains(event), "{event} is not in the log");
    }
    // The capture sees the events and `log` records of dependencies, and would see a leak.
    assert!(log.contains("starting new connection"), "no `log` records");
    tracing::trace!(token = %tokens[0], "a leak that the test wants");
    assert!(!run.secrets.found_in(&LOG.text()).is_empty());
    let leaking = format!("{:?}", rotated.token().expose());
    assert!(!run.secrets.found_in(&leaking).is_empty());
}
