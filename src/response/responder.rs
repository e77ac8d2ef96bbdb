use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};

use super::cause::add_cause;
use super::for_rejection::ResponseForRejection;
use super::header::{ACTION, action};
use super::preset::Preset;
use crate::rejection::Rejection;

/// Any [`ResponseForRejection`] as one type.
#[derive(Clone)]
pub(crate) enum Responder {
    /// Apart, because what it makes always has the action's header: nobody has to look for it.
    Preset(Preset),
    Other(Arc<dyn ResponseForRejection>),
}

impl Responder {
    pub(crate) fn new<R, Args>(response: R) -> Self
    where
        R: ResponseForRejection<Args>,
        Args: 'static,
    {
        let preset = (&response as &dyn Any).downcast_ref().copied();
        preset.map_or_else(
            || Self::Other(Arc::new(Erased(response, PhantomData))),
            Self::Preset,
        )
    }

    /// Answers a refusal in HTTP; the cause is in the extensions however it looks.
    #[inline]
    pub(crate) fn refuse(&self, head: &Parts, rejection: Rejection) -> Response<Bytes> {
        let mut response = match self {
            Self::Preset(preset) => preset.response_for_rejection(&rejection, head),
            Self::Other(other) => {
                with_action(other.response_for_rejection(&rejection, head), &rejection)
            }
        };
        // To a CONNECT a success means that the tunnel, such as a WebSocket over HTTP/2, is open.
        if head.method == Method::CONNECT && response.status().is_success() {
            response = Preset::Json.response(&rejection);
        }
        add_cause(&mut response, rejection);
        response
    }

    pub(crate) fn serves_wafer(&self) -> bool {
        match self {
            Self::Preset(preset) => preset.serves_wafer(),
            Self::Other(other) => other.serves_wafer(),
        }
    }
}

/// Says in its header what the client should do, unless the response does.
fn with_action(mut response: Response<Bytes>, rejection: &Rejection) -> Response<Bytes> {
    if !response.headers().contains_key(ACTION) {
        response.headers_mut().insert(ACTION, action(rejection));
    }
    response
}

struct Erased<R, Args>(R, PhantomData<fn(Args)>);

impl<R, Args> ResponseForRejection for Erased<R, Args>
where
    R: ResponseForRejection<Args>,
    Args: 'static,
{
    fn response_for_rejection(&self, rejection: &Rejection, head: &Parts) -> Response<Bytes> {
        self.0.response_for_rejection(rejection, head)
    }

    fn serves_wafer(&self) -> bool {
        self.0.serves_wafer()
    }
}
