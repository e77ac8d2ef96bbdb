use std::time::Duration;

use super::outcome::digest_hex;

const LIFETIME: Duration = Duration::from_secs(7200);

/// Whoever asks while a token has this long to live gets it again.
const AGAIN: Duration = Duration::from_secs(1800);

/// The tokens that a platform has given to apps.
#[derive(Debug, Default)]
pub(super) struct Tokens(Vec<Token>);

#[derive(Clone, Debug)]
pub(super) struct Token {
    appid: String,
    pub(super) text: String,
    end: Duration,
}

impl Tokens {
    /// The token of an app, and for how many seconds it is good.
    pub(super) fn give(&mut self, appid: &str, now: Duration) -> (String, u64) {
        let live = |token: &&Token| token.appid == appid && token.end >= now + AGAIN;
        let token = match self.0.iter().find(live) {
            Some(token) => token.clone(),
            None => self.make(appid, now),
        };
        (token.text, (token.end - now).as_secs())
    }

    fn make(&mut self, appid: &str, now: Duration) -> Token {
        let number = self.0.len().to_string();
        let token = Token {
            appid: appid.to_owned(),
            text: format!("t-{}", digest_hex(&["token", appid, &number])),
            end: now + LIFETIME,
        };
        self.0.push(token.clone());
        token
    }

    /// The app that a token is of, while it is good.
    pub(super) fn app_of(&self, text: &str, now: Duration) -> Option<String> {
        let token = self.0.iter().find(|token| token.text == text)?;
        (now < token.end).then(|| token.appid.clone())
    }
}
