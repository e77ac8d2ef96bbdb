//! Layers of routes, of routers and of what is nested.

use std::future::IntoFuture;

use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, ServiceExt};
use http::{StatusCode, Version};
use tower::Layer;
use tower::util::{MapResponseLayer, option_layer};
use tower_wx_session::{Session, SessionLayer, TokenSource};

use super::site::{Sessioned, Site, me, routes};
use crate::support::http::{Answer, Server, client};
use crate::support::nodes::{log_in, node, store_on_a_clock};

#[tokio::test]
async fn a_layer_goes_around_the_fallback_and_a_route_layer_does_not() {
    let layered = Site::new(|layer| routes().layer(layer).route("/late", get("open"))).await;
    layered
        .answers(&[
            ("/me", 401, 200),
            ("/nowhere", 401, 404),
            ("/late", 200, 200),
        ])
        .await;
    let route_layered = Site::new(|layer| routes().route_layer(layer).route("/late", get("open")));
    let rows = [
        ("/me", 401, 200),
        ("/nowhere", 404, 404),
        ("/late", 200, 200),
    ];
    route_layered.await.answers(&rows).await;
    let own_fallback = |layer| {
        routes()
            .route_layer(layer)
            .fallback(async || StatusCode::GONE)
    };
    let rows = [("/me", 401, 200), ("/nowhere", 410, 410)];
    Site::new(own_fallback).await.answers(&rows).await;
}

#[tokio::test]
async fn a_layer_on_one_route_refuses_its_other_methods_and_a_route_layer_does_not() {
    let site = Site::new(|layer| {
        Router::new()
            .route("/layer", get(me).layer(layer.clone()))
            .route("/route_layer", get(me).route_layer(layer.clone()))
            .route("/one_method", get(me).route_layer(layer).post("open"))
            .route("/open", get("open"))
    });
    let site = site.await;
    let rows = [
        ("/layer", 401, 200),
        ("/route_layer", 401, 200),
        ("/one_method", 401, 200),
        ("/open", 200, 200),
    ];
    site.answers(&rows).await;
    for (path, status) in [("/layer", 401), ("/route_layer", 405), ("/one_method", 200)] {
        let answer = Answer::to(site.request("POST", path)).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn merged_routers_keep_their_layers_and_the_fallback_of_the_last() {
    let public = || Router::new().route("/public", get("open"));
    type Merge = fn(Sessioned, Router) -> Router;
    let rows: [(Merge, u16); 4] = [
        (|layer, public| routes().layer(layer).merge(public), 404),
        (|layer, public| public.merge(routes().layer(layer)), 401),
        (
            |layer, public| routes().route_layer(layer).merge(public),
            404,
        ),
        (
            |layer, public| public.merge(routes().route_layer(layer)),
            404,
        ),
    ];
    for (merge, unknown) in rows {
        let site = Site::new(|layer| merge(layer, public())).await;
        let rows = [
            ("/me", 401, 200),
            ("/public", 200, 200),
            ("/nowhere", unknown, 404),
        ];
        site.answers(&rows).await;
    }
}

#[tokio::test]
async fn inside_a_nested_router_the_uri_has_no_prefix() {
    let unchecked = |path: &'static str| {
        move |layer: Sessioned| layer.with_unchecked(move |_, uri| uri.path() == path)
    };
    let api = || routes().route("/health", get("open"));
    for (path, health) in [("/health", 200), ("/api/health", 401)] {
        let inside = Site::new(|layer| {
            let api = api().route_layer(unchecked(path)(layer));
            Router::new().nest("/api", api).route("/me", get("open"))
        });
        let rows = [
            ("/api/health", health, 200),
            ("/api/me", 401, 200),
            ("/me", 200, 200),
        ];
        inside.await.answers(&rows).await;
        let around = Site::new(|layer| {
            Router::new()
                .nest("/api", api())
                .layer(unchecked(path)(layer))
        });
        let health = if health == 200 { 401 } else { 200 };
        let rows = [("/api/health", health, 200), ("/api/me", 401, 200)];
        around.await.answers(&rows).await;
    }
}

#[tokio::test]
async fn a_layer_that_is_switched_off_is_not_there() {
    for (is_on, nobody) in [(true, 401), (false, 200)] {
        // Both have to answer the same type; the layer's body becomes axum's.
        let into_response = MapResponseLayer::new(IntoResponse::into_response);
        let switched = |layer: Sessioned| option_layer(is_on.then_some((into_response, layer)));
        let open = || Router::new().route("/me", get("anybody, where it is off"));
        let site = Site::new(|layer| open().route_layer(switched(layer))).await;
        site.answers(&[("/me", nobody, 200)]).await;
    }
}

#[tokio::test]
async fn a_layer_goes_around_a_whole_router_as_a_service() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let layer = SessionLayer::new(sessions.clone());
    // axum serves bodies of its own only.
    let into_response = MapResponseLayer::new(IntoResponse::into_response);
    let app = (into_response, layer).layer(routes());
    // Named, because the layer takes requests with any body.
    let app = ServiceExt::<Request>::into_make_service(app);
    let server = Server::serving(|listener| axum::serve(listener, app).into_future()).await;
    let get = |path| client(Version::HTTP_11).get(server.url(path));
    let token = log_in(&sessions).await;
    for (path, nobody, user) in [("/me", 401, 200), ("/nowhere", 401, 404)] {
        assert_eq!(Answer::to(get(path)).await.status, nobody, "{path}");
        let answer = Answer::to(get(path).bearer_auth(&token)).await;
        assert_eq!(answer.status, user, "{path}");
    }
}

#[tokio::test]
async fn what_an_inner_layer_lets_through_has_not_the_session_of_an_outer_one() {
    let (clock, store) = store_on_a_clock();
    let shop = node(&store, &clock);
    let admin = node(&store_on_a_clock().1, &clock);
    let token = log_in(&shop).await;
    let tells = async |session: Option<Session>| match session {
        Some(session) => session.openid().to_owned(),
        None => "nobody".to_owned(),
    };
    let of_admin = || SessionLayer::new(admin.clone()).with_sources([TokenSource::skey()]);
    let app = Router::new()
        .merge(
            Router::new()
                .route("/optional", get(tells))
                .route_layer(of_admin().optional()),
        )
        .merge(
            Router::new()
                .route("/unchecked", get(tells))
                .route_layer(of_admin().with_unchecked(|_, _| true)),
        )
        .route_layer(SessionLayer::new(shop));
    let server = Server::start(app).await;
    for path in ["/optional", "/unchecked"] {
        let request = client(Version::HTTP_11).get(server.url(path));
        let answer = Answer::to(request.bearer_auth(&token)).await;
        assert_eq!((answer.status, &*answer.body), (200, "nobody"), "{path}");
    }
}
