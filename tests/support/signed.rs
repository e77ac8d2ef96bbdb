//! A platform of signed launch data: what was good once stays good until it is too old.

use std::time::Duration;

use tower_wx_session::Identity;
use tower_wx_session::login::{
    CodePolicy, ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, LoginRequest,
};

pub const SIGNED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Vouches for `alice` with `signed alice 1`, whatever follows the second word after `signed`.
#[derive(Clone)]
pub struct Signed {
    pub valid_for: Duration,
}

impl Default for Signed {
    fn default() -> Self {
        Self {
            valid_for: SIGNED_FOR,
        }
    }
}

impl IdentityProvider for Signed {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("appid")
    }

    fn code_policy(&self, _: &str) -> CodePolicy {
        CodePolicy::replayable(self.valid_for)
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        tokio::task::yield_now().await;
        let words: Vec<_> = login.code().split(' ').collect();
        let ["signed", user, number, ..] = words[..] else {
            return Err(ExchangeError::new(ExchangeErrorKind::CodeRejected));
        };
        let exchanged = Exchanged::new(Identity::new("appid", user));
        Ok(exchanged.once_per(format!("{user} {number}")))
    }
}
