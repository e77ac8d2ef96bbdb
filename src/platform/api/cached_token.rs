use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::failure::Failure;
use crate::sync::Lock;

/// While a token is still good and no new one comes, the platform is asked once in this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// No platform's token lives longer, whatever an answer says.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A token by which a platform knows an app, kept until its end.
///
/// One request for a new one is under way at a time. It is made in the last tenth of the token's
/// life, and everybody else uses the old one meanwhile. Should it fail, the old one is good to its end.
#[derive(Default)]
pub(crate) struct CachedToken {
    state: Lock<State>,
    asking: Mutex<()>,
}

/// A new token, as a platform gives it.
pub(crate) struct Granted {
    pub(crate) token: String,
    pub(crate) lifetime: Duration,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    failed: Option<(Failure, Instant)>,
}

struct Token {
    text: Arc<str>,
    renew_at: Instant,
    end: Instant,
}

enum Look {
    Fresh(Arc<str>),
    Ending(Arc<str>),
    Over,
}

impl CachedToken {
    /// The token; `ask` is awaited only if it takes a new one.
    pub(crate) async fn get(
        &self,
        ask: impl Future<Output = Result<Granted, Failure>>,
    ) -> Result<Arc<str>, Failure> {
        let since = Instant::now();
        let _turn = match self.look(since) {
            Look::Fresh(token) => return Ok(token),
            Look::Ending(token) => match self.asking.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(token),
            },
            Look::Over => self.asking.lock().await,
        };
        // Whoever had the turn before has asked for all who waited.
        match self.outcome(since) {
            Some(outcome) => outcome,
            None => self.keep(ask.await, Instant::now()),
        }
    }

    /// Drops a token that the platform does not take any more, unless a newer one is there.
    pub(crate) fn forget(&self, token: &str) {
        let mut state = self.state.lock();
        state.token.take_if(|kept| *kept.text == *token);
    }

    fn look(&self, now: Instant) -> Look {
        match &self.state.lock().token {
            Some(token) if now < token.renew_at => Look::Fresh(Arc::clone(&token.text)),
            Some(token) if now < token.end => Look::Ending(Arc::clone(&token.text)),
            _ => Look::Over,
        }
    }

    fn outcome(&self, since: Instant) -> Option<Result<Arc<str>, Failure>> {
        if let Look::Fresh(token) = self.look(Instant::now()) {
            return Some(Ok(token));
        }
        let state = self.state.lock();
        let failed = state.failed.as_ref().filter(|(_, at)| *at >= since);
        failed.map(|(failure, _)| Err(failure.clone()))
    }

    fn keep(&self, granted: Result<Granted, Failure>, now: Instant) -> Result<Arc<str>, Failure> {
        let mut state = self.state.lock();
        match granted {
            Ok(granted) => {
                state.failed = None;
                let token = state.token.insert(Token::new(granted, now));
                Ok(Arc::clone(&token.text))
            }
            Err(failure) => match state.token.as_mut().filter(|token| now < token.end) {
                Some(token) => {
                    token.renew_at = token.end.min(now + PATIENCE);
                    Ok(Arc::clone(&token.text))
                }
                None => {
                    state.failed = Some((failure.clone(), now));
                    Err(failure)
                }
            },
        }
    }
}

impl Token {
    fn new(granted: Granted, now: Instant) -> Self {
        let lifetime = granted.lifetime.min(LONGEST);
        Self {
            text: granted.token.into(),
            renew_at: now + lifetime / 10 * 9,
            end: now + lifetime,
        }
    }
}

impl fmt::Debug for CachedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn granted(token: &str) -> Result<Granted, Failure> {
        Ok(Granted {
            token: token.to_owned(),
            lifetime: HOUR,
        })
    }

    async fn nobody_asks() -> Result<Granted, Failure> {
        panic!("there is a token")
    }

    #[tokio::test]
    async fn a_token_is_asked_for_once_and_kept() {
        let tokens = CachedToken::default();
        let first = tokens.get(async { granted("a") }).await.unwrap();
        assert_eq!(&*first, "a");
        assert_eq!(&*tokens.get(nobody_asks()).await.unwrap(), "a");
        tokens.forget("b");
        assert_eq!(&*tokens.get(nobody_asks()).await.unwrap(), "a");
        tokens.forget("a");
        assert_eq!(&*tokens.get(async { granted("b") }).await.unwrap(), "b");
    }

    #[tokio::test]
    async fn whoever_comes_at_once_shares_one_request_and_its_failure() {
        for answer in [granted as fn(&str) -> _, |_| {
            Err(Failure::unreadable("busy"))
        }] {
            let (tokens, asked) = (CachedToken::default(), Lock::from(0));
            let ask = || async {
                *asked.lock() += 1;
                tokio::task::yield_now().await;
                answer("a")
            };
            let (a, b, c) = tokio::join!(tokens.get(ask()), tokens.get(ask()), tokens.get(ask()));
            assert!(a.is_ok() == b.is_ok() && b.is_ok() == c.is_ok());
            assert_eq!(*asked.lock(), 1);
        }
    }

    #[tokio::test]
    async fn a_failure_is_not_kept_for_those_who_come_later() {
        let tokens = CachedToken::default();
        let failed = tokens.get(async { Err(Failure::unreadable("busy")) }).await;
        assert!(failed.is_err());
        assert_eq!(&*tokens.get(async { granted("a") }).await.unwrap(), "a");
    }

    #[tokio::test]
    async fn the_last_tenth_renews_and_is_used_while_that_fails() {
        let now = Instant::now();
        let tokens = CachedToken::default();
        tokens.keep(granted("a"), now).unwrap();
        assert!(matches!(tokens.look(now + HOUR * 89 / 100), Look::Fresh(_)));
        assert!(matches!(
            tokens.look(now + HOUR * 91 / 100),
            Look::Ending(_)
        ));
        assert!(matches!(tokens.look(now + HOUR), Look::Over));

        let later = now + HOUR * 95 / 100;
        let kept = tokens.keep(Err(Failure::unreadable("busy")), later);
        assert_eq!(&*kept.unwrap(), "a");
        assert!(matches!(tokens.look(later + PATIENCE / 2), Look::Fresh(_)));
        assert!(matches!(tokens.look(later + PATIENCE), Look::Ending(_)));
        let over = tokens.keep(Err(Failure::unreadable("busy")), now + HOUR);
        assert!(over.is_err());
    }

    #[tokio::test]
    async fn whoever_is_dropped_while_asking_leaves_the_turn_to_the_next() {
        let tokens = CachedToken::default();
        let never = tokens.get(std::future::pending());
        assert!(
            tokio::time::timeout(Duration::from_millis(1), never)
                .await
                .is_err()
        );
        assert_eq!(&*tokens.get(async { granted("a") }).await.unwrap(), "a");
    }

    #[test]
    fn a_token_cannot_print() {
        let tokens = CachedToken::default();
        tokens.keep(granted("canary"), Instant::now()).unwrap();
        assert_eq!(format!("{tokens:?}"), "CachedToken(..)");
    }
}
