//! The inner service alone: what is subtracted from all others.

use bytes::Bytes;
use http::Request;
use tower::service_fn;

use super::{Answer, Contender, handle};
use crate::requests::Requests;

pub(crate) fn new(_users: usize) -> Contender {
    let requests = Requests::new(Some(super::floor::credentials(1)));
    Contender::under("bare", service_fn(handler), requests)
}

async fn handler(_request: Request<Bytes>) -> Answer {
    handle(Some("nobody"))
}
