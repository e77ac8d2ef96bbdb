//! A Tower layer that checks a mini-program login session on every request, and tells the client
//! exactly when to call `wx.login` again.
//!
//! `wx.checkSession` asks WeChat about its session_key; this crate checks the login state that your own
//! server issues. The client logs in once: it sends a `wx.login` code to [`login::Login`], which
//! exchanges it for the user's openid and answers with a session token. From then on the client sends
//! the token in a header, [`SessionLayer`] checks it against a cached store, and the handler finds the
//! [`Session`]. When the session is over, every refusal says whether to log in again, to wait, or
//! neither.
//!
//! It works with axum, tonic and anything else that is a `tower::Service` over [`http`] 1.
//!
#![cfg_attr(all(feature = "axum", feature = "wechat"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "axum", feature = "wechat")), doc = "```ignore")]
//! use tower_wx_session::{Identity, Session, SessionLayer, Sessions, login::Login, store::MemoryStore, wechat::WeChat};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::builder(MemoryStore::new()).build()?;      // or Sessions::new(MemoryStore::new())
//! let app = axum::Router::new()
//!     .route("/me", axum::routing::get(async |session: Session| session.openid().to_owned()))
//!     .route_layer(SessionLayer::new(sessions.clone()))
//!     .route_service("/login", Login::new(sessions.clone(), WeChat::new("appid", "secret")));
//!
//! // Without a client, such as in a test:
//! let issued = sessions.issue(Identity::new("appid", "openid")).await?;
//! let text: &str = issued.token().expose();                             // what the client keeps
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! # axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! - [`Sessions`] is the handle that an application keeps: it issues, checks, rotates, revokes and
//!   lists sessions, and makes the layer and the login service.
//! - [`layer`] checks requests, and lists the exact rules by which one passes.
//! - [`login`] turns codes into sessions; `wechat` is the provider for WeChat, [`platform`] has the others.
//! - [`response`] is what refusals look like on the wire: every status, reason and action.
//! - [`store`] is where sessions are kept.
//! - [`guide`] leads from `wx.login` to the first protected request, helps to move over from other logins,
//!   and has recipes, [which store](guide::which_store) to take, the order of layers, gRPC, outages, every default and its reason, metrics and tracing,
//!   performance.
//!
//! # What it is not for
//!
//! Sessions of browsers: there are no cookies, so there is nothing to protect from request forgery,
//! and a client has no session before it has logged in. Nor does it decide what a user may do.
//!
//! # Features
//!
//! | Name | Description | Default? |
//! |---|---|---|
//! | `axum` | For axum 0.8: extractors for [`Session`] and `Option<Session>`, `IntoResponse` for [`Rejection`]. Without it, and with axum 0.7, a handler takes `Extension<Session>` | no |
//! | `hyper` | What is left of hyper's own [bodies](layer#bodies-of-refused-requests) is read on when they are refused | no |
//! | `wechat` | `wechat::WeChat`: logins, access token, session_key, phone number, over HTTPS | no |
//! | `qq`, `douyin`, `baidu`, `kuaishou`, `alipay`, `lark`, `dingtalk`, `telegram`, `vk` | a provider of [`platform`] each; the guide has a page on them | no |
//! | `crypto` | `open_data`: opens what the platform has encrypted, and checks its signatures | no |
//! | `file` | `store::FileStore`: a file, for one process | no |
//! | `postgres` | `store::PostgresStore`: PostgreSQL, alone, with standbys or behind a pooler | no |
//! | `mysql` | `store::MySqlStore`: MySQL, MariaDB and what speaks their protocol | no |
//! | `redis` | `store::RedisStore`: Redis or Valkey, alone, behind Sentinel or as a Cluster | no |
//! | `tracing` | [Events and spans](guide::observability#events), without secrets | no |
//! | `metrics` | [Metrics](guide::observability#metrics), for any recorder of the `metrics` crate | no |
//! | `test-util` | A fake WeChat, a manual clock, sessions for unit tests | no |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod cache;
mod cause;
mod config_error;
mod drain;
#[cfg(feature = "axum")]
pub mod extract;
mod flights;
pub mod guide;
mod head;
#[cfg(any(
    feature = "alipay",
    feature = "crypto",
    feature = "douyin",
    feature = "mysql",
    feature = "postgres",
    feature = "telegram",
    feature = "test-util",
    feature = "wechat"
))]
mod hex;
mod identity;
pub mod layer;
pub mod login;
mod node;
mod observe;
#[cfg(feature = "crypto")]
pub mod open_data;
#[cfg(any(feature = "crypto", feature = "wechat"))]
mod phone_number;
pub mod platform;
mod random;
mod recent;
mod rejection;
pub mod response;
mod session;
mod session_key;
pub mod sessions;
pub mod store;
mod sync;
mod task;
#[cfg(feature = "test-util")]
pub mod test_util;
mod time;
mod token;
mod upstream;
#[cfg(any(feature = "crypto", feature = "wechat"))]
mod watermark;
#[cfg(feature = "wechat")]
pub mod wechat;

pub use self::identity::Identity;
pub use self::layer::{ResponseBody, ResponseFuture, SessionLayer, SessionService, TokenSource};
pub use self::rejection::{Action, Rejection, RejectionKind};
pub use self::session::Session;
pub use self::session_key::SessionKey;
pub use self::sessions::Sessions;
pub use self::token::{SessionId, SessionToken};

/// Compiles the Rust in the README.
#[cfg(all(doctest, feature = "axum", feature = "wechat"))]
#[doc = include_str!("../README.md")]
struct Readme;
