//! Which texts are hits, and from when on.

use std::convert::Infallible;

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_wx_session::{SessionLayer, Sessions, TokenSource};

use crate::support::nodes::{log_in, node, refusal, store_on_a_clock};
use crate::support::prometheus::Metrics;
use crate::support::{HookedStore, Op};

/// How many checks were answered there.
fn answered_by(metrics: &Metrics, by: &str) -> f64 {
    let series = metrics.series("wx_session_checks_total");
    let label = format!(r#"answered_by="{by}""#);
    let of = series.iter().filter(|(labels, _)| labels.contains(&label));
    of.map(|(_, value)| value).sum()
}

async fn status(sessions: &Sessions<HookedStore>, request: Request<()>) -> u16 {
    let sources = [
        TokenSource::bearer(),
        TokenSource::skey(),
        TokenSource::query("token"),
        TokenSource::websocket_protocol(),
    ];
    let layer = SessionLayer::new(sessions.clone()).with_sources(sources);
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    response.status().as_u16()
}

fn with(name: &str, value: &str) -> Request<()> {
    Request::builder().header(name, value).body(()).unwrap()
}

fn to(uri: &str) -> Request<()> {
    Request::builder().uri(uri).body(()).unwrap()
}

#[tokio::test]
async fn a_text_with_one_other_character_is_refused_whatever_is_cached() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    assert_eq!(refusal(&sessions, &token).await, None);
    assert_eq!(answered_by(&metrics, "table"), 1.0);
    for place in 0..token.len() {
        for other in ["A", "B", "_", "=", "\u{7f}"] {
            let mut text = token.clone();
            text.replace_range(place..=place, other);
            if text != token {
                assert!(refusal(&sessions, &text).await.is_some(), "{place}");
            }
        }
    }
    for text in [
        format!("{token}A"),
        format!("{token}="),
        format!("A{token}"),
    ] {
        assert!(refusal(&sessions, &text).await.is_some(), "{text}");
    }
    assert_eq!(answered_by(&metrics, "table"), 1.0);
}

#[tokio::test]
async fn a_token_is_a_hit_wherever_it_stands_and_however_it_is_encoded() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let requests = [
        with("authorization", &format!("Bearer {token}")),
        with("x-wx-skey", &token),
        to(&format!("/?token={token}")),
        to(&format!("/?token={}", token.replace('_', "%5F"))),
        with("sec-websocket-protocol", &format!("bearer, {token}")),
    ];
    let many = requests.len() as f64;
    for request in requests {
        assert_eq!(status(&sessions, request).await, 200);
    }
    assert_eq!(answered_by(&metrics, "table"), many);
}

#[tokio::test]
async fn what_was_read_without_its_token_is_a_hit_after_its_first_request() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let sessions = node(&store, &clock);
    let id = sessions.check(&token).await.unwrap().id();

    // One that knows the session by its id alone.
    let other = node(&store, &clock);
    other.check_again(id).await.unwrap();
    let loads = store.calls(Op::Load);
    for (table, cache) in [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)] {
        assert_eq!(refusal(&other, &token).await, None);
        assert_eq!(answered_by(&metrics, "table"), table);
        assert_eq!(answered_by(&metrics, "cache"), cache);
    }
    assert_eq!(store.calls(Op::Load), loads);

    // And what was read for its token is one at once.
    assert_eq!(refusal(&sessions, &token).await, None);
    assert_eq!(answered_by(&metrics, "table"), 3.0);
}

#[tokio::test]
async fn a_confirmed_session_is_a_hit_still() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let id = sessions.check(&token).await.unwrap().id();
    clock.advance(std::time::Duration::from_secs(60));
    // Read by its id: what it is found by is taken over from what was known.
    let loads = store.calls(Op::Load);
    sessions.check_again(id).await.unwrap();
    assert_eq!(store.calls(Op::Load), loads + 1);
    let table = answered_by(&metrics, "table");
    assert_eq!(refusal(&sessions, &token).await, None);
    assert_eq!(answered_by(&metrics, "table"), table + 1.0);
}

#[tokio::test]
async fn a_read_that_began_without_the_token_is_a_hit_by_who_joined_it() {
    let metrics = Metrics::new();
    let _guard = metrics.record();
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let id = node(&store, &clock).check(&token).await.unwrap().id();
    let store = store.before(|op| async move {
        if op == Op::Load {
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    let other = node(&store, &clock);
    log_in(&other).await;
    let loads = store.calls(Op::Load);
    let (by_id, refused) = tokio::join!(other.check_again(id), refusal(&other, &token));
    assert!(by_id.is_ok() && refused.is_none());
    assert_eq!(store.calls(Op::Load), loads + 1);
    let table = answered_by(&metrics, "table");
    assert_eq!(refusal(&other, &token).await, None);
    assert_eq!(answered_by(&metrics, "table"), table + 1.0);
}
