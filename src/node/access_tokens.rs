//! Platforms' access tokens in the store: beside the session_keys, and sealed as they are.

use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::session_keys::SessionKeyError;
use crate::identity::Identity;
use crate::session_key::SessionKey;
use crate::store::SessionStore;
use crate::time::Timestamp;

/// Whose session_key an access token is to the store: no platform names a user so.
const NOBODY: &str = "\u{0}access_token";

impl<S: SessionStore> Node<S> {
    /// Whether access tokens can be kept: sealed, or where no other process reads.
    pub(crate) fn keeps_access_tokens(&self) -> bool {
        self.config.seal.is_some() || !self.upstream.is_shared()
    }

    /// Keeps an app's access token for as long as it is good.
    pub(crate) async fn put_access_token(
        self: &Arc<Self>,
        appid: &str,
        token: &str,
        lives_for: Duration,
    ) -> Result<(), SessionKeyError> {
        self.learn_clock().await?;
        let now = self.clock.now();
        let text = format!("{} {token}", now.after(lives_for).as_millis());
        let text = SessionKey::new(text);
        let keep = (lives_for, Duration::ZERO);
        self.put_key(&nobody(appid), &text, now, keep).await
    }

    /// The newest access token of an app, and how long it is still good.
    pub(crate) async fn access_token(
        self: &Arc<Self>,
        appid: &str,
    ) -> Result<Option<(String, Duration)>, SessionKeyError> {
        self.learn_clock().await?;
        let kept = self.session_keys(&nobody(appid)).await?;
        let kept = kept.newest().and_then(|text| parse(text.expose()));
        Ok(kept.map(|(until, token)| (token.to_owned(), until.since(self.clock.now()))))
    }
}

fn nobody(appid: &str) -> Identity {
    Identity::new(appid, NOBODY)
}

fn parse(text: &str) -> Option<(Timestamp, &str)> {
    let (until, token) = text.split_once(' ')?;
    Some((Timestamp::from_millis(until.parse().ok()?), token))
}
