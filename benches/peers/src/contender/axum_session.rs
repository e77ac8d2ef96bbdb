//! axum_session with the store that it has in memory.

use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use bytes::Bytes;
use http::Request;
use http::header::COOKIE;
use tower::{Layer, service_fn};

use super::set_cookie::cookies;
use super::{Answer, Contender, handle};
use crate::requests::Credentials;
use crate::runtime::runtime;
use crate::stopwatch::answer;
use crate::user::openid;

type Layered = SessionLayer<SessionNullPool>;

pub(crate) fn new(users: usize) -> Contender {
    let _entered = runtime().enter();
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default());
    let store = runtime()
        .block_on(store)
        .expect("a store without a database");
    let layer = SessionLayer::new(store);
    let credentials = log_in(&layer, users);
    Contender::new(
        "axum_session",
        layer.layer(service_fn(handler)),
        credentials,
    )
}

async fn handler(request: Request<Bytes>) -> Answer {
    let session = request.extensions().get::<Session<SessionNullPool>>();
    let user = session.and_then(|session| session.get::<String>("user"));
    handle(user.as_deref())
}

async fn log_in_handler(request: Request<Bytes>) -> Answer {
    let session = request.extensions().get::<Session<SessionNullPool>>();
    let openid = request.extensions().get::<String>();
    let session = session.expect("the layer has put it there");
    session.set("user", openid.expect("the client has put it there"));
    handle(Some("nobody"))
}

fn log_in(layer: &Layered, users: usize) -> Credentials {
    let mut service = layer.layer(service_fn(log_in_handler));
    let cookies = (0..users).map(|user| {
        let mut request = Request::new(Bytes::new());
        request.extensions_mut().insert(openid(user));
        cookies(&answer(&mut service, request))
    });
    Credentials::of(COOKIE, cookies)
}
