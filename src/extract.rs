//! Extractors for axum.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use http_body_util::Full;

use crate::layer::NoSession;
use crate::rejection::{Action, Rejection};
use crate::response::{ACTION, NO_STORE, refuse_without_head};
use crate::session::Session;

const NO_LAYER: &str = "a handler takes a `Session`, but no `SessionLayer` is in front of it: \
                        add `.layer(SessionLayer::new(sessions))` to its router";

/// Why a handler could not have a [`Session`]: the rejection of its extractors.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The layer let a request without a session through, but the handler needs one: answered as
    /// the layer answers a missing token.
    Missing(Response),
    /// No layer is in front of the handler: 500, with a message for the developer.
    NoLayer,
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Missing(response) => response,
            Self::NoLayer => {
                let action = HeaderValue::from_static(Action::None.as_str());
                let headers = [(ACTION, action), (CACHE_CONTROL, NO_STORE)];
                (StatusCode::INTERNAL_SERVER_ERROR, headers, NO_LAYER).into_response()
            }
        }
    }
}

impl<State: Sync> FromRequestParts<State> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Self::Rejection> {
        let session = parts.extensions.get::<Self>();
        session.cloned().ok_or_else(|| missing(parts))
    }
}

/// `None` only where the layer let a request without a session through.
impl<State: Sync> OptionalFromRequestParts<State> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &State,
    ) -> Result<Option<Self>, Self::Rejection> {
        match parts.extensions.get::<Self>() {
            Some(session) => Ok(Some(session.clone())),
            None if parts.extensions.get::<NoSession>().is_some() => Ok(None),
            None => Err(SessionRejection::NoLayer),
        }
    }
}

fn missing(parts: &Parts) -> SessionRejection {
    match parts.extensions.get::<NoSession>() {
        Some(passed) => SessionRejection::Missing(into_response(passed.refuse(parts))),
        None => SessionRejection::NoLayer,
    }
}

/// The response of [`Preset::Json`](crate::response::Preset::Json), so that a handler can return what [`Sessions`] refuse with `?`.
///
/// [`Sessions`]: crate::Sessions
impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        into_response(refuse_without_head(self))
    }
}

fn into_response(response: http::Response<Bytes>) -> Response {
    response.map(Full::new).into_response()
}
