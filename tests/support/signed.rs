//! A platform of signed launch data: what was good once stays good until it is too old.

use std::collections::HashSet;
use std::time::Duration;

use tower_wx_session::login::{
    CodePolicy, ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, Login, LoginRequest,
};
use tower_wx_session::store::SessionStore;
use tower_wx_session::{Identity, RejectionKind};

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

/// The token, or why there is none.
pub async fn log_in<S: SessionStore>(
    login: &Login<S, Signed>,
    code: &str,
) -> Result<String, RejectionKind> {
    let issued = login.log_in(code).await;
    issued
        .map(|issued| issued.token().expose().to_owned())
        .map_err(|rejection| rejection.kind())
}

/// The tokens that 40 logins with the same content get at the same time, on two nodes; half of them
/// spell it in a way of their own. Whoever gets none is refused for the code.
pub async fn tokens_of_many_at_once<S: SessionStore>(
    logins: &[Login<S, Signed>; 2],
    content: &str,
) -> HashSet<String> {
    let attempts = (0..40).map(|turn| {
        let code = match turn % 4 {
            0 | 1 => format!("signed {content}"),
            _ => format!("signed {content} {turn}"),
        };
        let login = logins[turn % 2].clone();
        tokio::spawn(async move { log_in(&login, &code).await })
    });
    let mut tokens = HashSet::new();
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(token) => drop(tokens.insert(token)),
            Err(kind) => assert_eq!(kind, RejectionKind::CodeRejected),
        }
    }
    tokens
}
