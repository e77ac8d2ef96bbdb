//! What a refusal looks like on the wire.
//!
//! The body is always a JSON object:
//!
//! ```json
//! {"errcode":401,"errmsg":"session idle for too long: call wx.login","reason":"session_idle_expired","action":"login"}
//! ```
//!
//! `action` is all that a client needs: `login` = call `wx.login`, then send the request once
//! more; `retry` = wait `Retry-After` seconds (at login: then take a fresh code); `none` = show an
//! error. `errcode` is the status of the preset `json`, never a code of WeChat's.
//!
//! A closure makes refusals look any other way:
//!
//! ```
//! use bytes::Bytes;
//! use http::Response;
//! use tower_wx_session::{Rejection, SessionLayer, Sessions, store::MemoryStore};
//!
//! let layer = SessionLayer::new(Sessions::new(MemoryStore::new()))
//!     .with_rejection_response(|rejection: &Rejection| {
//!         let mut response = Response::new(Bytes::from_static(b"please log in"));
//!         *response.status_mut() = rejection.kind().status();
//!         response
//!     });
//! ```

use bytes::Bytes;
use http::Response;

mod preset;

pub(crate) use self::preset::WAFER_MAGIC;
pub use self::preset::{ParsePresetError, Preset};
use crate::Rejection;

/// Builds the response to a refused request: a [`Preset`], or a closure.
///
/// The [`Rejection`] is put into the response's extensions afterwards, whatever was built.
pub trait ResponseForRejection: Send + Sync + 'static {
    /// Builds the response.
    fn response_for_rejection(&self, rejection: &Rejection) -> Response<Bytes>;

    /// Whether clients of the Wafer SDKs are served: [`Login`](crate::login::Login) then takes
    /// their requests and answers in their form too. Default: no.
    fn serves_wafer(&self) -> bool {
        false
    }
}

impl<F> ResponseForRejection for F
where
    F: Fn(&Rejection) -> Response<Bytes> + Send + Sync + 'static,
{
    fn response_for_rejection(&self, rejection: &Rejection) -> Response<Bytes> {
        self(rejection)
    }
}
