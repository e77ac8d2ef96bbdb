//! CORS around the layer and inside it.

use axum::routing::options;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method};
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;

use super::site::{ORIGIN, Site, routes};
use crate::support::http::Answer;

/// That of `guide::composing`.
pub fn cors(origin: &str) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(HeaderValue::try_from(origin).unwrap())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("x-wx-skey"),
            HeaderName::from_static("x-grpc-web"),
            HeaderName::from_static("x-user-agent"),
            HeaderName::from_static("grpc-timeout"),
        ])
        .expose_headers([
            WWW_AUTHENTICATE,
            RETRY_AFTER,
            HeaderName::from_static("x-wx-action"),
            HeaderName::from_static("grpc-status"),
            HeaderName::from_static("grpc-message"),
            HeaderName::from_static("grpc-status-details-bin"),
        ])
}

#[tokio::test]
async fn with_cors_outside_preflights_pass_and_pages_can_read_refusals() {
    let last_is_outermost = Site::new(|layer| routes().layer(layer).layer(cors(ORIGIN))).await;
    let first_is_outermost = Site::new(|layer| {
        let layers = ServiceBuilder::new().layer(cors(ORIGIN)).layer(layer);
        routes().layer(layers)
    });
    for site in [last_is_outermost, first_is_outermost.await] {
        let preflight = site.preflight().await;
        assert_eq!(preflight.status, 200);
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            Some(ORIGIN)
        );
        let allowed = preflight.header("access-control-allow-headers").unwrap();
        assert!(allowed.contains("authorization"), "{allowed}");

        let refused = Answer::to(site.request("GET", "/me").header("origin", ORIGIN)).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.reason(), "session_missing");
        assert_eq!(refused.header("access-control-allow-origin"), Some(ORIGIN));
        let exposed = refused.header("access-control-expose-headers").unwrap();
        for name in ["www-authenticate", "retry-after", "x-wx-action"] {
            assert!(exposed.contains(name), "{exposed}");
        }

        let refused = site.grpc().await;
        let exposed = refused.header("access-control-expose-headers").unwrap();
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            assert!(exposed.contains(name), "{exposed}");
            assert!(refused.header(name).is_some(), "{refused:?}");
        }
        assert_eq!(refused.header("access-control-allow-origin"), Some(ORIGIN));
    }
}

#[tokio::test]
async fn with_cors_inside_preflights_are_refused_and_pages_cannot_read_why() {
    let site = Site::new(|layer| routes().layer(cors(ORIGIN)).layer(layer)).await;
    let preflight = site.preflight().await;
    assert_eq!(preflight.status, 401);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    let refused = Answer::to(site.request("GET", "/me").header("origin", ORIGIN)).await;
    assert_eq!(refused.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn options_that_are_unchecked_reach_whoever_answers_them_inside() {
    let app = || routes().route("/me", options("allowed"));
    let checked = Site::new(|layer| app().layer(layer)).await;
    assert_eq!(checked.preflight().await.status, 401);
    let unchecked =
        Site::new(|layer| app().layer(layer.with_unchecked(|method, _| method == Method::OPTIONS)));
    let unchecked = unchecked.await;
    assert_eq!(unchecked.preflight().await.body, "allowed");
    assert_eq!(unchecked.get("/me").await.status, 401);
}
