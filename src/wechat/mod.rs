//! Logging in at WeChat, and its server APIs, over HTTPS.
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
//! # Server APIs
//!
//! Beside the login there are methods for the APIs that a login state needs. They bring the app's
//! access_token along, which [`access_token`](WeChat::access_token) also gives for calls of yours.
//!
//! | API | here |
//! |---|---|
//! | `getStableAccessToken` | [`WeChat::access_token`], [`WeChat::access_token_instead_of`] |
//! | `checkSessionKey` | [`check_session_key`](crate::login::SessionKeyCheck::check_session_key) |
//! | `resetUserSessionKey` | [`WeChat::reset_session_key`], [`WeChat::reset_kept_session_key`] |
//! | `getPhoneNumber` | [`WeChat::phone_number`], [`WeChat::phone_number_of`] |
//! | `getUserEncryptKey` | [`WeChat::encryption_keys`] |
//! | `code2Verifyinfo` | [`MultiEnd`] |
//!
//! An access_token that WeChat refuses (40001, 40014, 42001) is replaced once for all calls, and the
//! call is sent once more; it says nothing of the user. So a call takes up to five requests, each
//! within the time-out, and nearly always one. What an `errcode` means:
//!
//! | WeChat's answer | [`ApiErrorKind`] |
//! |---|---|
//! | 40029, 40163, 42003, 61010, 10001000, 10001001 | `CodeRejected` |
//! | 87007, 87009 | `SessionKeyOver` |
//! | -1, time-out, connection error, unreadable answer; 40001, 40014, 42001 for the new token, too | `Unavailable` |
//! | 45011 / 45009 / `force_refresh` used up | `RateLimited` for 60 s / 3600 s / until it is allowed |
//! | 40226, 50001, 50002 | `UserBlocked` |
//! | 40003, 41008 | `BadRequest` |
//! | any other code, such as 40125, 40164, 40243 (the AppSecret is frozen), 48001, 87008 | `Misconfigured` |
//!
//! ```
//! # #[cfg(feature = "test-util")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower_wx_session::test_util::FakeWeChat;
//! use tower_wx_session::wechat::{ApiErrorKind, WeChat};
//!
//! let fake = FakeWeChat::start().await?;
//! let wechat = WeChat::new(fake.appid(), fake.secret()).with_base_url(fake.base_url())?;
//!
//! let phone = wechat.phone_number(fake.appid(), "alice:of the button").await?;
//! assert_eq!(phone.country_code, "86");
//!
//! let again = wechat.phone_number(fake.appid(), "alice:of the button").await;
//! assert_eq!(again.unwrap_err().kind(), ApiErrorKind::CodeRejected);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "test-util"))]
//! # fn main() {}
//! ```
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
