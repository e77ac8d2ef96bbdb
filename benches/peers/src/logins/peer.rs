//! tower-sessions' `create`, and its layer around a handler that logs a user in.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use tower::{Layer, ServiceExt, service_fn};
use tower_sessions_0_14::cookie::time::Duration;
use tower_sessions_0_14::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::way::{Way, client, request};
use crate::user::openid;

/// As long as an unused session of ours.
const EXPIRY: Expiry = Expiry::OnInactivity(Duration::hours(2));
/// Under which name a session has its user.
const USER: &str = "user";

#[derive(Deserialize)]
struct LoginBody {
    code: String,
}

pub(super) fn session(name: &str, store: impl SessionStore) -> Way {
    let store = Arc::new(store);
    Way::new(name, move |user| {
        let session = Session::new(None, store.clone(), Some(EXPIRY));
        async move {
            let inserted = session.insert(USER, openid(user)).await;
            inserted.expect("it is JSON");
            session.save().await.expect("the store is up");
        }
    })
}

pub(super) fn endpoint(name: &str, store: impl SessionStore + Clone) -> Way {
    let layer = SessionManagerLayer::new(store).with_expiry(EXPIRY);
    let login = layer.layer(service_fn(log_in));
    let headers = client();
    Way::new(name, move |user| {
        let (login, request) = (login.clone(), request(&headers, user));
        async move {
            let Ok(response) = login.oneshot(request).await;
            assert!(response.headers().contains_key(SET_COOKIE), "{response:?}");
        }
    })
}

/// Vouches for anyone, by the name of the code.
async fn log_in(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await;
    let login = serde_json::from_slice::<LoginBody>(&body.to_bytes()).expect("a code");
    let session = parts.extensions.get::<Session>();
    let session = session.expect("the layer has put it there");
    let inserted = session.insert(USER, login.code).await;
    inserted.expect("it is JSON");
    Ok(Response::new(Full::from(r#"{"expires_in":7200}"#)))
}
