//! scaffold
#![allow(missing_docs)]

mod cache;
mod identity;
pub mod layer;
pub mod login;
mod rejection;
pub mod response;
mod session;
mod session_key;
pub mod sessions;
pub mod store;
#[cfg(feature = "test-util")]
pub mod test_util;
mod time;
mod token;
mod trace;
#[cfg(feature = "wechat")]
pub mod wechat;

pub use self::identity::Identity;
pub use self::layer::{ResponseBody, ResponseFuture, SessionLayer, SessionService, TokenSource};
pub use self::rejection::{Action, Rejection, RejectionKind};
pub use self::session::Session;
pub use self::session_key::SessionKey;
pub use self::sessions::{ConfigError, DataError, Sessions};
pub use self::token::{ParseSessionIdError, SessionId, SessionToken};
