//! Turning a login code into a session.

mod provider;

pub use self::provider::{
    ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, LoginRequest,
};
