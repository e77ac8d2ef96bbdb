//! Every request is counted as one check, whatever the host. The recorder is the process's: one test
//! at a time.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hosts::site::Site;
use hosts::support::http::{Server, client};
use hosts::support::prometheus::samples;
use hosts::support::world::World;
use http::Version;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::Mutex;
use tower_wx_session::store::AnyStore;
use tower_wx_session::{Identity, SessionLayer, Sessions, TokenSource};

static RECORDER: LazyLock<Mutex<PrometheusHandle>> =
    LazyLock::new(|| Mutex::new(PrometheusBuilder::new().install_recorder().unwrap()));

/// How often each kind of check was counted.
fn checks(recorder: &PrometheusHandle) -> BTreeMap<String, f64> {
    let text = recorder.render();
    let checks = samples(&text).filter(|(name, ..)| *name == "wx_session_checks_total");
    checks.map(|(_, labels, value)| (labels.to_owned(), value)).collect()
}

async fn every_request_is_one_check(start: impl AsyncFnOnce(Site) -> Server) {
    let recorder = RECORDER.lock().await;
    let world = World::new().await;
    let node = Sessions::builder(AnyStore::new(world.store.clone())).clock(world.clock.clone());
    let layer = SessionLayer::new(node.cache_capacity(1000).build().unwrap())
        .with_sources([TokenSource::bearer(), TokenSource::skey()]);
    let issued = world.sessions.issue(Identity::new("wxa", "alice")).await.unwrap();
    let server = start(Site::new(layer)).await;
    let before = checks(&recorder);

    let bearer = format!("bearer  {}", issued.token().expose());
    let skey = ("x-wx-skey", "rubbish");
    let live = ("authorization", &*bearer);
    let requests: [&[(&str, &str)]; 6] =
        [&[live], &[live], &[], &[("authorization", "Basic YTpi")], &[skey], &[live, skey]];
    for headers in requests {
        let request = client(Version::HTTP_11).get(server.url("/me"));
        let add = |request: reqwest::RequestBuilder, header: &(&str, &str)| {
            request.header(header.0, header.1)
        };
        headers.iter().fold(request, add).send().await.unwrap();
    }
    let counted: Vec<_> = checks(&recorder)
        .into_iter()
        .map(|(labels, value)| {
            let so_far = before.get(&labels).copied().unwrap_or_default();
            (labels, value - so_far)
        })
        .filter(|(_, more)| *more != 0.0)
        .collect();
    let row = |verdict: &str, reason: &str, by: &str, count| {
        (format!(r#"verdict="{verdict}",reason="{reason}",answered_by="{by}""#), count)
    };
    let expected = [
        row("invalid", "ambiguous_token", "request", 1.0),
        row("invalid", "session_malformed", "request", 1.0),
        row("invalid", "session_missing", "request", 2.0),
        row("valid", "none", "store", 1.0),
        row("valid", "none", "table", 1.0),
    ];
    assert_eq!(counted, expected);
}

macro_rules! hosts {
    ($($host:ident)*) => {
        $(mod $host {
            #[tokio::test]
            async fn every_request_is_one_check() {
                super::every_request_is_one_check(hosts::host::$host::start).await;
            }
        })*
    };
}

hosts! { actix_web axum_0_7 axum_0_8 lambda_http poem poem_tower rocket salvo volo_http warp }
