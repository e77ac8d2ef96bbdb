//! What operators are shown is exact: each check once, each question to the store once.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_wx_session::RejectionKind::StoreUnavailable;
use tower_wx_session::login::{SessionKeyCheck, Validity};
use tower_wx_session::sessions::{KeyCheckPolicy, Revocation};
use tower_wx_session::store::{PutSessionKey, SessionStore, StoreError, StoreErrorKind};
use tower_wx_session::{Identity, SessionKey, SessionLayer, Sessions, TokenSource};

use crate::support::nodes::{alice, log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::prometheus::Metrics;
use crate::support::{HookedStore, Op, down, switchable};

const CHECKS: &str = "wx_session_checks_total";
const STORE: &str = "wx_session_store_duration_seconds_count";
const SECOND: Duration = Duration::from_secs(1);

type Node = Sessions<HookedStore>;

/// Sends a request with these headers through the layer.
async fn send(sessions: &Node, headers: &[(&str, &str)]) -> u16 {
    send_through(SessionLayer::new(sessions.clone()), headers).await
}

async fn send_through(layer: SessionLayer<HookedStore>, headers: &[(&str, &str)]) -> u16 {
    let sources = [TokenSource::bearer(), TokenSource::skey()];
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
    let service = layer.with_sources(sources).layer(inner);
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    response.status().as_u16()
}

/// What one step adds to the checks.
struct Checks<'a>(&'a Metrics);

impl Checks<'_> {
    /// Exactly one check was counted since the last time, with these labels.
    #[track_caller]
    fn assert_one_more(&self, before: &[(String, f64)], labels: [&str; 3]) {
        let [verdict, reason, by] = labels;
        let labels = format!(r#"verdict="{verdict}",reason="{reason}",answered_by="{by}""#);
        let now = self.0.series(CHECKS);
        let sum = |series: &[(String, f64)]| series.iter().map(|(_, value)| value).sum::<f64>();
        let of = |series: &[(String, f64)]| {
            let row = series.iter().find(|(other, _)| *other == labels);
            row.map_or(0.0, |(_, value)| *value)
        };
        assert_eq!(sum(&now) - sum(before), 1.0, "{before:?} {now:?}");
        assert_eq!(of(&now) - of(before), 1.0, "{labels}: {before:?} {now:?}");
    }
}

/// Runs a step and asserts what it counted.
macro_rules! counts {
    ($metrics:expr, $status:literal, $step:expr, $labels:expr) => {
        let before = $metrics.series(CHECKS);
        assert_eq!($step.await, $status);
        Checks(&$metrics).assert_one_more(&before, $labels);
    };
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn every_check_is_counted_once_by_verdict_reason_and_where_it_was_answered() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let here = node(&store, &clock);
    let token = log_in(&here).await;
    let good = bearer(&token);
    let auth = |value: &str| [("authorization", value.to_owned())];
    let send = async |sessions: &Node, headers: &[(&str, String)]| {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, &**v)).collect();
        send(sessions, &headers).await
    };

    // In the request alone.
    let nothing = ["invalid", "session_missing", "request"];
    counts!(metrics, 401, send(&here, &[]), nothing);
    let malformed = ["invalid", "session_malformed", "request"];
    counts!(
        metrics,
        401,
        send(&here, &auth("Bearer nonsense")),
        malformed
    );
    let other = if &token[20..21] == "A" { "B" } else { "A" };
    let forged = bearer(&format!("{}{other}{}", &token[..20], &token[21..]));
    counts!(metrics, 401, send(&here, &auth(&forged)), malformed);
    let both = [
        ("authorization", good.clone()),
        ("x-wx-skey", "other".to_owned()),
    ];
    let ambiguous = ["invalid", "ambiguous_token", "request"];
    counts!(metrics, 400, send(&here, &both), ambiguous);

    // On this node: a hit, and what is remembered as over.
    counts!(
        metrics,
        200,
        send(&here, &auth(&good)),
        ["valid", "none", "table"]
    );
    let ended = here.issue(alice()).await.unwrap();
    let over = auth(&bearer(ended.token().expose()));
    here.kick_out(ended.session()).await.unwrap();
    let by_store = ["invalid", "session_kicked_out", "store"];
    counts!(metrics, 401, send(&here, &over), by_store);
    let by_cache = ["invalid", "session_kicked_out", "cache"];
    counts!(metrics, 401, send(&here, &over), by_cache);

    // In the store.
    let there = node(&store, &clock);
    counts!(
        metrics,
        200,
        send(&there, &auth(&good)),
        ["valid", "none", "store"]
    );
    is_down.store(true, Ordering::SeqCst);
    let third = node(&store, &clock);
    let unknown = ["unknown", "store_unavailable", "store"];
    counts!(metrics, 503, send(&third, &auth(&good)), unknown);
    is_down.store(false, Ordering::SeqCst);
    clock.advance(3 * 3600 * SECOND);
    let idle = ["invalid", "session_idle_expired", "store"];
    counts!(metrics, 401, send(&here, &auth(&good)), idle);

    // Without the layer.
    let before = metrics.series(CHECKS);
    assert!(refusal(&here, "nonsense").await.is_some());
    Checks(&metrics).assert_one_more(&before, malformed);
}

#[tokio::test]
async fn what_is_not_checked_is_not_counted() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let layer = SessionLayer::new(sessions);
    assert_eq!(send_through(layer.clone().optional(), &[]).await, 200);
    assert_eq!(
        send_through(layer.with_unchecked(|_, _| true), &[]).await,
        200
    );
    assert_eq!(metrics.series(CHECKS), []);
}

#[tokio::test]
async fn a_recorder_that_comes_after_the_handle_counts_the_first_request() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let metrics = Metrics::new();
    let _guard = metrics.record();
    send(&sessions, &[]).await;
    assert_eq!(metrics.series(CHECKS).len(), 1);
}

#[tokio::test]
async fn every_question_to_the_store_is_one_sample() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let first = sessions.issue(alice()).await.unwrap();
    let second = sessions.rotate(first.session().id()).await.unwrap();
    clock.advance(900 * SECOND);
    assert_eq!(refusal(&sessions, second.token().expose()).await, None);
    sessions.list(&alice()).await.unwrap();
    sessions.session_key(&alice()).await.unwrap();
    sessions.kick_out(alice()).await.unwrap();
    sessions.shutdown().await.unwrap();
    settle().await;
    let mut asked = 0;
    for (op, name) in Op::ALL.into_iter().zip(OPERATIONS) {
        let labels = format!(r#"operation="{name}",outcome="ok""#);
        assert_eq!(
            metrics.value(STORE, &labels),
            store.calls(op) as f64,
            "{name}"
        );
        asked += usize::from(store.calls(op) > 0);
    }
    assert_eq!(metrics.series(STORE).len(), asked);
    assert!(asked >= 9, "{:?}", metrics.series(STORE));
}

const OPERATIONS: [&str; 11] = [
    "insert",
    "load",
    "touch",
    "rotate",
    "revoke",
    "list",
    "put_session_key",
    "session_keys",
    "tag_keys",
    "now",
    "subscribe",
];

#[tokio::test(start_paused = true)]
async fn a_question_that_fails_or_hangs_is_a_sample_too() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    for (outcome, hangs) in [("error", false), ("given_up", true)] {
        let failing = store.clone().before(move |op| async move {
            match op {
                Op::Load if hangs => std::future::pending().await,
                Op::Load => Err(StoreError::new(StoreErrorKind::Unavailable)),
                _ => Ok(()),
            }
        });
        let sessions = node(&failing, &clock);
        assert_eq!(refusal(&sessions, &token).await, Some(StoreUnavailable));
        settle().await;
        let labels = format!(r#"operation="load",outcome="{outcome}""#);
        assert_eq!(metrics.value(STORE, &labels), 1.0, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn revocations_are_counted_when_they_are_answered_and_shown_while_they_are_pending() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node_with(&store, &clock, |builder| builder.pending_revocations(1));
    let by = |outcome| metrics.value("wx_session_revocations_total", outcome);
    let pending = || metrics.value("wx_session_pending_revocations", "");
    log_in(&sessions).await;
    sessions.kick_out(alice()).await.unwrap();
    assert_eq!(by(r#"outcome="done""#), 1.0);

    is_down.store(true, Ordering::SeqCst);
    let answer = sessions.kick_out(alice()).await.unwrap();
    assert_eq!(answer, Revocation::Pending);
    assert_eq!((by(r#"outcome="pending""#), pending()), (1.0, 1.0));
    sessions.kick_out(alice()).await.unwrap_err();
    assert_eq!((by(r#"outcome="failed""#), pending()), (1.0, 1.0));

    is_down.store(false, Ordering::SeqCst);
    sessions.shutdown().await.unwrap();
    settle().await;
    assert_eq!((by(r#"outcome="done""#), pending()), (1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn the_gauges_follow_the_link_and_the_cache() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let is_up = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&is_up);
    let store = store.before(move |op| {
        let fails = op == Op::Subscribe && !is_up.load(Ordering::SeqCst);
        async move { if fails { Err(down()) } else { Ok(()) } }
    });
    let link = || metrics.value("wx_session_link_up", "");
    let cached = || metrics.value("wx_session_cached_sessions", "");
    let up = node(&store, &clock);
    for user in ["alice", "bob", "carol"] {
        up.issue(Identity::new("appid", user)).await.unwrap();
    }
    settle().await;
    assert_eq!(link(), 1.0);
    sleep(6 * SECOND).await;
    assert_eq!(cached(), 3.0);
    up.kick_out(alice()).await.unwrap();
    sleep(6 * SECOND).await;
    assert_eq!(cached(), 2.0);

    switch.store(false, Ordering::SeqCst);
    let unlinked = node(&store, &clock);
    log_in(&unlinked).await;
    settle().await;
    assert_eq!(link(), 0.0);
    let dead = node(&store.with_dead_links(), &clock);
    switch.store(true, Ordering::SeqCst);
    log_in(&dead).await;
    settle().await;
    assert_eq!(link(), 0.0);
}

/// Says of a session_key what its text says.
struct Says;

impl SessionKeyCheck for Says {
    async fn check_session_key(&self, _: &Identity, key: &SessionKey) -> Validity {
        match key.expose() {
            "valid" => Validity::Valid,
            "over" => Validity::Over,
            _ => Validity::cannot_tell("the test has it busy"),
        }
    }
}

/// Keeps a session_key of a user, which is then the newest.
async fn put_key(store: &HookedStore, user: Identity, key: &str) {
    let digest = std::array::from_fn(|at| key.as_bytes().get(at).copied().unwrap_or(0));
    let put = PutSessionKey::new(user, key.into(), digest, 3600 * SECOND, SECOND);
    store.inner.put_session_key(put).await.unwrap();
}

#[tokio::test]
async fn checks_of_session_keys_are_counted_by_what_they_came_to() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = {
        let is_down = Arc::new(AtomicBool::new(false));
        let switch = Arc::clone(&is_down);
        let store = store.before(move |op| {
            let fails = op == Op::SessionKeys && switch.load(Ordering::SeqCst);
            async move { if fails { Err(down()) } else { Ok(()) } }
        });
        (store, is_down)
    };
    let policy = KeyCheckPolicy::default().with_interval(60 * SECOND);
    let policy = policy.with_waiting(1);
    let sessions = node_with(&store, &clock, |builder| {
        builder
            .following_session_keys(Says)
            .key_check_policy(policy)
    });
    let token = log_in(&sessions).await;
    let other = sessions.issue(Identity::new("appid", "bob")).await.unwrap();
    let of = |outcome: &str| {
        let labels = format!(r#"outcome="{outcome}""#);
        metrics.value("wx_session_key_checks_total", &labels)
    };
    for outcome in [
        "no_key",
        "valid",
        "cannot_tell",
        "store_unavailable",
        "over",
    ] {
        if outcome != "no_key" {
            put_key(&store, alice(), outcome).await;
        }
        is_down.store(outcome == "store_unavailable", Ordering::SeqCst);
        clock.advance(60 * SECOND);
        assert_eq!(refusal(&sessions, &token).await, None);
        settle().await;
        assert_eq!(of(outcome), 1.0, "{outcome}");
    }
    assert_eq!(of("replaced") + of("dropped"), 0.0);

    // Two at once where one may wait.
    let token = log_in(&sessions).await;
    clock.advance(60 * SECOND);
    assert_eq!(refusal(&sessions, &token).await, None);
    assert_eq!(refusal(&sessions, other.token().expose()).await, None);
    settle().await;
    assert_eq!(of("dropped"), 1.0);
}
