//! Logging in at WeChat: `code2Session` over HTTPS.
//!
//! [`WeChat`] is the [`IdentityProvider`](crate::login::IdentityProvider) for WeChat mini
//! programs. One of it serves any number of apps and needs neither a runtime nor the network to
//! be built. What it promises:
//!
//! 1. **A code is sent at most once.** Neither this crate nor the HTTP client repeats a request
//!    of which a single byte may have left; redirects are not followed.
//! 2. **`errcode` is the verdict**, whatever the HTTP status and the content type. An answer that
//!    cannot be read, is longer than 64 KiB, or has no `openid` counts as no answer.
//! 3. **An exchange ends within the time-out**, connecting and the whole body included.
//! 4. **No secret gets out.** An error holds WeChat's `errcode` and `errmsg`, or what went wrong on
//!    the way; never the URL or the body, and whatever in it looks like the code, the app's secret
//!    or a session_key is masked.
//!
//! | WeChat's answer | [`ExchangeErrorKind`](crate::login::ExchangeErrorKind) |
//! |---|---|
//! | 40029, 40163, 42003, 61010 | `CodeRejected` |
//! | -1, time-out, connection error, unreadable answer | `Unavailable` |
//! | 45011 / 45009 | `RateLimited` for 60 s / 3600 s |
//! | 40226, 50001, 50002 | `UserBlocked` |
//! | 41008 | `BadRequest` |
//! | any other code | `Misconfigured` |
//!
//! # Deployment
//!
//! The proxy that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`) is
//! used, except for a base URL on this machine: `http`, `https`, `socks4`, `socks4a`, `socks5` (names
//! are resolved here) or `socks5h` (they are resolved by the proxy). A URL of another kind is ignored,
//! and a proxy that is not there is `Unavailable`. Certificates are checked against those of the system: where it
//! has none (an image built `FROM scratch`), every exchange is `Misconfigured`, and says so.
//!
//! # Example
//!
//! Against the fake WeChat of the feature `test-util`; leave `with_base_url` out for the real one.
//!
//! ```
//! # #[cfg(feature = "test-util")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower_wx_session::login::{ExchangeErrorKind, IdentityProvider, LoginRequest};
//! use tower_wx_session::test_util::FakeWeChat;
//! use tower_wx_session::wechat::WeChat;
//!
//! let fake = FakeWeChat::start().await?;
//! let wechat = WeChat::new(fake.appid(), fake.secret()).with_base_url(fake.base_url())?;
//!
//! let login = LoginRequest::new(fake.appid(), "alice:1");
//! let exchanged = wechat.exchange(login).await?;
//! assert_eq!(exchanged.identity().appid(), fake.appid());
//!
//! let again = wechat.exchange(login).await.unwrap_err();
//! assert_eq!(again.kind(), ExchangeErrorKind::CodeRejected);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "test-util"))]
//! # fn main() {}
//! ```

mod access_token;
mod api_error;
mod encryption_key;
mod force_quota;
mod multi_end;
mod phone_number;
mod provider;
mod server;
mod session_key;
mod shared_tokens;
mod token_source;
mod tokens;

pub use self::access_token::AccessToken;
pub use self::api_error::{ApiError, ApiErrorKind};
pub use self::encryption_key::EncryptionKey;
pub use self::multi_end::{AppUser, MultiEnd, MultiEndUser};
pub use self::provider::WeChat;
pub use self::session_key::ResetError;
pub use crate::config_error::ConfigError;
pub use crate::phone_number::PhoneNumber;
pub use crate::watermark::Watermark;
