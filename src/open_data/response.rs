use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::json;

use super::error::{OpenDataError, OpenDataErrorKind};
use crate::rejection::{Action, Rejection, RejectionKind};
use crate::response::{ACTION, NO_STORE, refuse_without_head};

impl OpenDataError {
    /// An answer in the form of the layer's refusals (preset `json`).
    ///
    /// The body is `{"errcode":400,"errmsg":"…","reason":"undecryptable","action":"none"}`. The `action` is
    /// `none`, also where a login is missing: sending the same data once more after it is in vain.
    /// A store that is unavailable is answered as by the layer: 503 with `Retry-After` and `retry`.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        if self.kind() == OpenDataErrorKind::StoreUnavailable {
            let rejection = Rejection::from(RejectionKind::StoreUnavailable);
            return refuse_without_head(rejection.caused_by(self.clone()));
        }
        let mut response = Response::new(self.body());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(ACTION, HeaderValue::from_static(Action::None.as_str()));
        response
    }

    fn body(&self) -> Bytes {
        let body = json!({
            "errcode": self.status().as_u16(),
            "errmsg": self.kind().message(),
            "reason": self.reason(),
            "action": Action::None.as_str(),
        });
        body.to_string().into()
    }
}

/// The answer of [`to_response`](OpenDataError::to_response), so that a handler can use `?`.
#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for OpenDataError {
    fn into_response(self) -> axum_core::response::Response {
        let response = self.to_response();
        response.map(http_body_util::Full::new).into_response()
    }
}
