//! The login endpoint: turning a login code into a session.
//!
//! [`Login`] is a plain `tower::Service` that never fails. It stands outside of the
//! [layer](crate::layer): who logs in has no session yet.
//!
//! | request | answer |
//! |---|---|
//! | `POST` with `{"code":"…"}`, up to 4 KiB | 200 `{"token":"wxs_…","expires_in":7200}` |
//! | … and `"appid":"…"` or the header `X-WX-Appid`, where several apps are configured | the same |
//! | … and `"platform":"…"`, where several [`Platforms`] are configured | the same |
//! | `POST` without a code, by `callContainer`, where [`CloudHosting`] is believed | the same |
//! | `GET` with `X-WX-Code`, under the preset `wafer` | one object for both Wafer clients |
//! | anything else | a refusal, by the same preset as the layer's |
//!
//! `expires_in` is how long the session lasts unused, in seconds. Every answer has
//! `Cache-Control: no-store`.
//!
//! What it promises:
//!
//! 1. **A code never reaches the provider twice** from this node. Parallel requests with one code
//!    share one exchange, a repeat within 5 s gets the same token while that is live, and a code
//!    that may be spent is refused for as long as it may be good (5 minutes, or what the provider's
//!    [`CodePolicy`] says). Signed launch data, which no platform takes back, is good once on all
//!    nodes: see [`CodePolicy::replayable`].
//! 2. **No code is spent for nothing**: the store has to answer first. If storing fails afterwards,
//!    a repeat within 5 s needs no second exchange.
//! 3. A login that presents a live token of the same user retires that token, after a grace.
//! 4. **A login ends within 10 s**, whatever hangs: see [`Login::with_deadline`]. Where more log in
//!    than the provider serves at once, the others wait for their turn for up to 5 s of it.
//! 5. The session_key stays on the server: see [`Sessions::session_key`](crate::Sessions::session_key).
//!
//! | refusal | `reason` | `action` | `Retry-After` |
//! |---|---|---|---|
//! | 400 | `code_rejected` | `login` | – |
//! | 503 | `provider_unavailable` | `retry` | 3; 3 to 6 if the turn did not come, so that not all come back at once |
//! | 429 | `rate_limited` | `retry` | 60 or 3600 |
//! | 403 | `user_blocked` | `none` | – |
//! | 500 | `provider_misconfigured`; details are in the log only | `none` | – |
//! | 503 | `store_unavailable` | `retry` | 1 |
//! | 400, or 405 with `Allow` | `bad_request` | `none` | – |
//!
//! `retry` means with a fresh code: one whose exchange failed may be spent, so a repeat of it gets
//! `code_rejected`, and with it `login`.
//!
//! # Example
//!
//! ```
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//! use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
//! use tower_wx_session::{Identity, Sessions, store::MemoryStore};
//!
//! /// Vouches for anyone, by the name of the code.
//! struct Trusting;
//!
//! impl IdentityProvider for Trusting {
//!     fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
//!         Some("appid")
//!     }
//!
//!     async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
//!         Ok(Exchanged::new(Identity::new(login.appid(), login.code())))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let login = Login::new(Sessions::new(MemoryStore::new()), Trusting);
//!
//! let request = Request::post("/login").body(r#"{"code":"alice"}"#.to_owned())?;
//! let response = login.clone().oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let request = Request::post("/login").body("not JSON".to_owned())?;
//! let response = login.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::BAD_REQUEST);
//! # Ok(())
//! # }
//! ```

mod answer;
mod any_provider;
mod attempts;
mod cloud_hosting;
mod code;
mod code_policy;
mod credentials;
mod endpoint;
mod exchange;
mod exchange_error;
mod flow;
mod form;
mod future;
mod lanes;
mod on_login;
mod platforms;
mod provider;
mod refusal;
mod report;
mod served;
mod service;
mod spent;
mod turns;
mod without_code;

pub use self::cloud_hosting::{CloudHosting, CloudHostingError};
pub use self::code_policy::CodePolicy;
pub use self::credentials::Credentials;
pub use self::exchange_error::{ExchangeError, ExchangeErrorKind};
pub use self::future::LoginFuture;
pub use self::on_login::OnLogin;
pub use self::platforms::Platforms;
pub use self::provider::{Exchanged, IdentityProvider, LoginRequest};
pub use self::refusal::Refusal;
pub use self::service::Login;
pub use crate::session_key::{CheckError, SessionKeyCheck, Validity};
