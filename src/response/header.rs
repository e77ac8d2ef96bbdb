use http::{HeaderName, HeaderValue};

use crate::rejection::Rejection;

/// What the client should do: `login`, `retry` or `none`.
pub(crate) const ACTION: HeaderName = HeaderName::from_static("x-wx-action");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(super) const fn action(rejection: &Rejection) -> HeaderValue {
    HeaderValue::from_static(rejection.kind().action().as_str())
}
