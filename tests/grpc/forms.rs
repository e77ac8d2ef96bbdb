//! The layer in each form of refusals, and a world in which each refusal comes about.

use bytes::Bytes;
use http::{Response, Version};
use tower_wx_session::response::Preset;
use tower_wx_session::{Rejection, RejectionKind, SessionLayer, Sessions};

use crate::support::HookedStore;
use crate::support::case::{Headers, bring_about};
use crate::support::world::{HOUR, World, layer_of};

pub const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];
/// The forms, in the order of [`layers`].
pub const FORMS: [&str; 4] = ["json", "ok_json", "wafer", "a closure"];

fn teapot(_: &Rejection) -> Response<Bytes> {
    let response = Response::builder().status(418).header("x-custom", "yes");
    response.body(Bytes::from_static(b"custom")).unwrap()
}

/// The layer in each form of refusals.
pub fn layers(node: &Sessions<HookedStore>) -> [SessionLayer<HookedStore>; 4] {
    let layer = || layer_of(node);
    [
        layer(),
        layer().with_rejection_response(Preset::OkJson),
        layer().with_rejection_response(Preset::Wafer),
        layer().with_rejection_response(teapot),
    ]
}

/// The world that the cases need.
pub async fn world() -> World {
    World::with(|sessions| sessions.lifetime(3 * HOUR).sessions_per_user(1)).await
}

/// The same with a case in it, and what to send.
pub async fn world_with(case: &str) -> (World, Headers) {
    let world = world().await;
    let headers = bring_about(case, &world).await;
    (world, headers)
}

/// What a login in a handler is refused with in a case of the table of logins.
pub async fn refused_login(case: &str) -> Rejection {
    let code = match case {
        "code rejected" => "errcode-40029:1",
        "provider unavailable" => "busy:1",
        "minute quota" => "limited:1",
        "daily quota" => "quota:1",
        "user blocked" => "blocked:1",
        "misconfigured" => "errcode-40125:1",
        "bad request" => "",
        "store down" => "alice:1",
        // Whoever calls a handler cannot choose a method.
        "method" => return RejectionKind::MethodNotAllowed.into(),
        _ => panic!("no such case: {case}"),
    };
    let world = World::new().await;
    if case == "store down" {
        world.outage.of_all();
    }
    world.login().log_in(code).await.unwrap_err()
}
