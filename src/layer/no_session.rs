use bytes::Bytes;
use http::Response;
use http::request::Parts;

use crate::drain::announce_close;
use crate::rejection::RejectionKind;
use crate::response::{Responder, refuse};

/// Marks a request that passed the layer without a session, and knows how the layer refuses.
#[derive(Clone)]
pub(crate) struct NoSession(Responder);

impl NoSession {
    pub(super) fn new(responder: Responder) -> Self {
        Self(responder)
    }

    /// The layer's answer to a request without a token, whose body is not read any further.
    pub(crate) fn refuse(&self, head: &Parts) -> Response<Bytes> {
        let rejection = RejectionKind::SessionMissing.into();
        let mut response = refuse(&self.0, head, rejection);
        announce_close(head, response.headers_mut());
        response
    }
}
