//! The refusals in the documents of the tools that write them, and aide's way to take a `Session`.

use aide::NoApi;
use aide::axum::ApiRouter;
use aide::axum::routing::get;
use serde_json::Value;
use tower::ServiceExt;
use tower_wx_session::response::openapi_components;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{Identity, Session, SessionLayer, Sessions};
use utoipa::openapi::{OpenApi, OpenApiBuilder, Ref, RefOr, Response};
use utoipa::{OpenApi as _, ToResponse};

struct SessionOver;

impl<'r> ToResponse<'r> for SessionOver {
    fn response() -> (&'r str, RefOr<Response>) {
        ("SessionOver", Ref::from_response_name("SessionOver").into())
    }
}

#[utoipa::path(get, path = "/me", security(("session" = [])), responses((status = 401, response = SessionOver)))]
fn _me() {}

#[derive(utoipa::OpenApi)]
#[openapi(paths(_me))]
struct Api;

fn with_refusals(mut document: OpenApi) -> OpenApi {
    let components = serde_json::from_str(&openapi_components()).unwrap();
    document.merge(OpenApiBuilder::new().components(Some(components)).build());
    document
}

/// What the page of the guide shows is what is here.
#[test]
fn the_guide_shows_what_is_tested() {
    let (here, page) = (include_str!("openapi.rs"), include_str!("../../../src/guide/recipes.md"));
    let block = page.split_once("```rust,ignore\nuse utoipa").unwrap().1;
    let block = block.split_once("```").unwrap().0;
    let (_, shown) = block.split_once("\n\n").unwrap();
    for item in shown.trim_end().split("\n\n") {
        assert!(here.contains(item), "not here: {item}");
    }
}

#[test]
fn utoipa_takes_the_components_as_they_are() {
    let document = serde_json::to_value(with_refusals(Api::openapi())).unwrap();
    let named = "/paths/~1me/get/responses/401/$ref";
    let expected = "#/components/responses/SessionOver";
    assert_eq!(document.pointer(named).unwrap(), expected);
    let components: Value = serde_json::from_str(&openapi_components()).unwrap();
    let over = "/responses/SessionOver/content";
    assert_eq!(document["components"].pointer(over), components.pointer(over));
}

#[tokio::test]
async fn aide_takes_the_components_and_a_session_that_is_no_part_of_the_document() {
    let components = serde_json::from_str(&openapi_components()).unwrap();
    let mut document =
        aide::openapi::OpenApi { components: Some(components), ..Default::default() };
    let sessions = Sessions::new(MemoryStore::new());
    let me = async |NoApi(session): NoApi<Session>| session.openid().to_owned();
    let router = ApiRouter::new().api_route("/me", get(me)).finish_api(&mut document);
    let router = router.route_layer(SessionLayer::new(sessions.clone()));

    let document = serde_json::to_value(document).unwrap();
    let parameters = document.pointer("/paths/~1me/get/parameters");
    assert!(parameters.is_none(), "{parameters:?}");
    assert!(document.pointer("/components/responses/StoreUnavailable").is_some());

    let issued = sessions.issue(Identity::new("appid", "openid")).await.unwrap();
    let bearer = format!("Bearer {}", issued.token().expose());
    for (token, status) in [(bearer.as_str(), 200), ("", 401)] {
        let request = http::Request::get("/me").header("authorization", token);
        let request = request.body(axum::body::Body::empty()).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), status);
    }
}
