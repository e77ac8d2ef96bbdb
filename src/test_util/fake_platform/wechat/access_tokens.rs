use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::test_util::fake_platform::outcome::digest_hex;

const LIFETIME: Duration = Duration::from_secs(7200);
const LAST: Duration = Duration::from_secs(300);
const APART: Duration = Duration::from_secs(30);
const A_DAY: Duration = Duration::from_secs(24 * 3600);
const FORCED_A_DAY: usize = 20;

/// The access_tokens of all apps. Those of `token` and those of `stable_token` know nothing of each other.
#[derive(Debug, Default)]
pub(super) struct AccessTokens {
    of_apps: HashMap<String, OfApp>,
    issued: u64,
}

#[derive(Debug, Default)]
struct OfApp {
    /// The newest last; those before it are good for a while still.
    stable: Vec<Token>,
    replacing: Vec<Token>,
    forced: VecDeque<Duration>,
}

#[derive(Clone, Debug)]
struct Token {
    text: String,
    until: Duration,
    /// No API takes it, whatever its end.
    is_refused: bool,
}

/// A token, and for how many seconds it is good.
pub(super) type Issued = (String, u64);

impl AccessTokens {
    /// The same token for everybody, until its last five minutes.
    pub(super) fn stable(&mut self, appid: &str, now: Duration) -> Issued {
        let newest = self.of(appid).stable.last().cloned();
        match newest.filter(|token| now + LAST < token.until) {
            Some(token) => token.issued(now),
            None => self.issue_stable(appid, now),
        }
    }

    /// Another token in its place, at once; `None` over the quota of a day. Within 30 s there is no
    /// other.
    pub(super) fn forced(&mut self, appid: &str, now: Duration) -> Option<Issued> {
        let of_app = self.of(appid);
        of_app.forced.retain(|&at| now < at + A_DAY);
        if of_app.forced.back().is_some_and(|&last| now < last + APART) {
            return Some(self.stable(appid, now));
        }
        if of_app.forced.len() >= FORCED_A_DAY {
            return None;
        }
        of_app.forced.push_back(now);
        of_app.stable.clear();
        Some(self.issue_stable(appid, now))
    }

    /// Another token each time; the one before is good for five minutes more.
    pub(super) fn replacing(&mut self, appid: &str, now: Duration) -> Issued {
        let token = self.issue(appid, now);
        let replacing = &mut self.of(appid).replacing;
        for earlier in replacing.iter_mut() {
            earlier.until = earlier.until.min(now + LAST);
        }
        replacing.push(token.clone());
        token.issued(now)
    }

    /// The app that a token is for; the errcode if it is for none.
    pub(super) fn app_of(&self, text: &str, now: Duration) -> Result<String, i64> {
        let all = self.of_apps.iter().flat_map(|(appid, of_app)| {
            let tokens = of_app.stable.iter().chain(&of_app.replacing);
            tokens.map(move |token| (appid, token))
        });
        let found = all.into_iter().find(|(_, token)| token.text == text);
        match found {
            Some((_, token)) if now >= token.until => Err(42001),
            Some((appid, token)) if !token.is_refused => Ok(appid.clone()),
            _ => Err(40001),
        }
    }

    /// Ends all tokens.
    pub(super) fn expire(&mut self, now: Duration) {
        for token in self.tokens() {
            token.until = token.until.min(now);
        }
    }

    /// Has no API take the tokens that there are, which go on being handed out.
    pub(super) fn spoil(&mut self) {
        for token in self.tokens() {
            token.is_refused = true;
        }
    }

    fn tokens(&mut self) -> impl Iterator<Item = &mut Token> {
        let of_apps = self.of_apps.values_mut();
        of_apps.flat_map(|of_app| of_app.stable.iter_mut().chain(&mut of_app.replacing))
    }

    fn of(&mut self, appid: &str) -> &mut OfApp {
        self.of_apps.entry(appid.to_owned()).or_default()
    }

    fn issue_stable(&mut self, appid: &str, now: Duration) -> Issued {
        let token = self.issue(appid, now);
        self.of(appid).stable.push(token.clone());
        token.issued(now)
    }

    fn issue(&mut self, appid: &str, now: Duration) -> Token {
        self.issued += 1;
        let hex = digest_hex(&["access_token", appid, &self.issued.to_string()]);
        Token {
            text: format!("{}_{hex}", self.issued),
            until: now + LIFETIME,
            is_refused: false,
        }
    }
}

impl Token {
    fn issued(self, now: Duration) -> Issued {
        (self.text, self.until.saturating_sub(now).as_secs())
    }
}
