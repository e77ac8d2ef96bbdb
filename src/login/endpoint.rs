use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::time::{Instant, timeout};

use super::answer::answer;
use super::credentials::Credentials;
use super::flow::LoginFlow;
use super::form;
use super::provider::IdentityProvider;
use crate::drain::{Unread, announce_close};
use crate::observe::meter;
use crate::rejection::{Rejection, RejectionKind};
use crate::store::SessionStore;

/// Answers a request to log in.
///
/// # Cancellation
///
/// It is dropped with its connection, at any point. A login that has begun goes on by itself; see
/// [`Attempts::join`](super::attempts::Attempts::join).
pub(super) async fn respond<S, P, B>(
    flow: LoginFlow<S, P>,
    request: Request<B>,
    received_at: Instant,
) -> Response<Full<Bytes>>
where
    S: SessionStore,
    P: IdentityProvider,
    B: Body + Send + 'static,
    B::Data: Send,
{
    let responder = flow.responder.clone();
    let (mut head, body) = request.into_parts();
    let presented = form::presented(&head);
    form::hide(&mut head);
    let mut body = Unread::new(body);
    let credentials = form::read(&head, &mut body, responder.serves_wafer());
    let in_time = timeout(flow.deadline, credentials).await;
    let is_read = body.leave(flow.drain, &head);
    let result = match in_time.unwrap_or(Err(RejectionKind::BadRequest)) {
        Ok(credentials) => {
            let credentials = Credentials {
                presented,
                ..credentials
            };
            let headers = &head.headers;
            flow.serve_request(credentials, headers, received_at).await
        }
        Err(kind) => {
            meter::login(kind.reason());
            Err(Rejection::from(kind))
        }
    };
    let mut answer = answer(&responder, &head, result);
    if !is_read {
        announce_close(&head, answer.headers_mut());
    }
    answer.map(Full::new)
}
