use bytes::Bytes;
use http::Response;
use http::request::Parts;

use crate::rejection::Rejection;

/// Builds the response to a refused request: a [`Preset`](super::Preset), or a closure that takes
/// the [`Rejection`], and the head of the request too if it wants that.
///
/// The [`Rejection`] is put into the response's extensions afterwards, and its action into the
/// header `X-WX-Action` unless there is one, whatever was built. To a CONNECT, such as a WebSocket over
/// HTTP/2, a success would mean that it is open: there [`Preset::Json`](super::Preset::Json) takes
/// the place of it.
///
/// `Args` tells the two kinds of closures apart; a type of your own has none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no response for a rejection",
    label = "expected a `Preset`, or a closure with the types of its arguments written out",
    note = "such as `|rejection: &Rejection| …` or `|rejection: &Rejection, head: &Parts| …`, \
            which answer a `Response<Bytes>`"
)]
pub trait ResponseForRejection<Args = ()>: Send + Sync + 'static {
    /// Builds the response to the request with this head.
    fn response_for_rejection(&self, rejection: &Rejection, head: &Parts) -> Response<Bytes>;

    /// Whether clients of the Wafer SDKs are served: [`Login`](crate::login::Login) then takes
    /// their requests and answers in their form too. Default: no.
    fn serves_wafer(&self) -> bool {
        false
    }
}

impl<F> ResponseForRejection<(Rejection,)> for F
where
    F: Fn(&Rejection) -> Response<Bytes> + Send + Sync + 'static,
{
    fn response_for_rejection(&self, rejection: &Rejection, _: &Parts) -> Response<Bytes> {
        self(rejection)
    }
}

impl<F> ResponseForRejection<(Rejection, Parts)> for F
where
    F: Fn(&Rejection, &Parts) -> Response<Bytes> + Send + Sync + 'static,
{
    fn response_for_rejection(&self, rejection: &Rejection, head: &Parts) -> Response<Bytes> {
        self(rejection, head)
    }
}
