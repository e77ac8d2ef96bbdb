use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use serde::Deserialize;

use super::bot_token::BotToken;
use super::proof::{PRODUCTION, Proof, TEST};
use crate::config_error::ConfigError;
use crate::identity::Identity;
use crate::login::{CodePolicy, ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use crate::platform::app::Apps;
use crate::platform::launch::{Age, Fields, Refused};

/// Telegram Mini Apps: checks the signed launch data of one or more bots.
///
/// There is no code and no request to Telegram. The client sends `Telegram.WebApp.initData` as it
/// is, for the code of its login; `tma ` in front of it, as in `Authorization: tma …`, is taken too.
///
/// ```js
/// fetch("/login", { method: "POST", body: JSON.stringify({ code: Telegram.WebApp.initData }) })
/// ```
///
/// The login gives an [`Identity`] whose appid is the bot's id, the part of its token before the
/// colon, and whose openid is the user's id, the same in all bots. There is no unionid and no
/// session_key.
///
/// 1. **Signed for this bot.** By default `hash` proves it, with the bot's token. A server that
///    must not have the token checks `signature` by Telegram's own key instead: see
///    [`third_party`](Self::third_party). Both are over the fields as they are after decoding.
/// 2. **No field twice, and none with a line break**, which would make two texts of one.
/// 3. **Not old.** `auth_date` is less than [an hour](Self::with_max_age) ago and at most a minute
///    ahead, on the fleet's clock.
/// 4. **Used once.** Telegram signs when the Mini App is opened, and what it has signed stays
///    good. So the login takes the same content once, on all nodes, in whatever order and with
///    whatever escapes it is written.
///
/// The data stays the same until the user opens the Mini App again, also when the page is loaded
/// anew. So let the client keep its token (in `sessionStorage`), and when the session is over and
/// the login answers `code_rejected`, ask the user to open the Mini App again.
///
/// | launch data | [`ExchangeErrorKind`](crate::login::ExchangeErrorKind) |
/// |---|---|
/// | signed by nobody, for another bot, or changed since | `CodeRejected` |
/// | too old | `CodeRejected` |
/// | genuine, and from the future: our clock is behind | `Misconfigured` |
/// | no `auth_date`, or one that is no number | `CodeRejected` |
/// | a field twice, or with a line break; a `?` in front; anything else that is no launch data | `CodeRejected` |
/// | no `user`, or one without an id | `CodeRejected` |
/// | for a bot that is not configured | `BadRequest` |
///
/// The error's cause says which of them it was, and shows nothing of the data. A Mini App that was
/// opened from a keyboard button or from inline mode has no launch data at all: `initData` is
/// empty, and the login answers `bad_request`.
///
/// ```
/// # #[cfg(feature = "test-util")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_wx_session::login::{IdentityProvider, LoginRequest};
/// use tower_wx_session::platform::Telegram;
/// use tower_wx_session::test_util::FakeTelegram;
///
/// let fake = FakeTelegram::new();
/// let telegram = Telegram::new(fake.bot_token())?;
/// assert_eq!(telegram.resolve(None), Some(fake.appid()));
///
/// let init_data = fake.init_data("alice");
/// let alice = telegram.exchange(LoginRequest::new(fake.appid(), &init_data)).await?;
/// assert_eq!(alice.identity().openid(), fake.openid("alice"));
///
/// let forged = init_data.replace("alice", "mallory");
/// let refused = telegram.exchange(LoginRequest::new(fake.appid(), &forged)).await;
/// assert!(refused.is_err());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "test-util"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Telegram {
    bots: Apps<Proof>,
    public_key: VerifyingKey,
    age: Age,
}

impl Telegram {
    /// Telegram for the bot with this token, as BotFather gives it: `7000000001:AA…`.
    ///
    /// # Errors
    ///
    /// If it is no token: it has to be a number, a colon, and letters, digits, `-` and `_`. The
    /// error does not show it.
    pub fn new(bot_token: &str) -> Result<Self, ConfigError> {
        let token = BotToken::parse(bot_token)?;
        Ok(Self::of(token.id, Proof::by_token(&token)))
    }

    /// Telegram for somebody else's bot, whose token is not here.
    ///
    /// What proves the launch data then is `signature`, which Telegram makes with its own key
    /// (Ed25519). Old clients send none, and cannot log in.
    ///
    /// ```
    /// use tower_wx_session::login::IdentityProvider;
    /// use tower_wx_session::platform::Telegram;
    ///
    /// let telegram = Telegram::third_party(7000000001);
    /// assert_eq!(telegram.resolve(None), Some("7000000001"));
    /// ```
    #[must_use]
    pub fn third_party(bot_id: u64) -> Self {
        Self::of(bot_id.to_string(), Proof::ThirdParty(bot_id))
    }

    fn of(appid: impl Into<Arc<str>>, proof: Proof) -> Self {
        Self {
            bots: Apps::new(appid, proof),
            public_key: VerifyingKey::from_bytes(&PRODUCTION)
                .expect("Telegram's published key is a key"),
            age: Age::DEFAULT,
        }
    }

    /// Adds a bot; the client then has to name the one it logs in to, by the bot's id.
    ///
    /// A bot that is there already gets the new token.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_bot(self, bot_token: &str) -> Result<Self, ConfigError> {
        let token = BotToken::parse(bot_token)?;
        let bots = self.bots.with(token.id, Proof::by_token(&token));
        Ok(Self { bots, ..self })
    }

    /// Adds somebody else's bot, as [`third_party`](Self::third_party) has it.
    #[must_use]
    pub fn with_third_party(self, bot_id: u64) -> Self {
        let proof = Proof::ThirdParty(bot_id);
        let bots = self.bots.with(bot_id.to_string(), proof);
        Self { bots, ..self }
    }

    /// Sets how old launch data may be, by its `auth_date` (default: an hour).
    ///
    /// Telegram names no figure. A client that logs in when it is opened needs seconds. For this
    /// long, and two minutes more, the store remembers each login.
    #[must_use]
    pub fn with_max_age(self, max: Duration) -> Self {
        let age = Age::of(max);
        Self { age, ..self }
    }

    /// Checks `signature` by the key of Telegram's test environment, instead of the real one's.
    ///
    /// It makes no difference to bots whose token is here.
    #[must_use]
    pub fn in_test_environment(self) -> Self {
        let key = VerifyingKey::from_bytes(&TEST);
        let public_key = key.expect("Telegram's published key is a key");
        Self { public_key, ..self }
    }

    /// Checks `signature` by this Ed25519 key, should Telegram publish another, or in a test.
    ///
    /// # Errors
    ///
    /// If it is no public key.
    pub fn with_public_key(self, key: &[u8; 32]) -> Result<Self, ConfigError> {
        let key = VerifyingKey::from_bytes(key);
        let public_key =
            key.map_err(|_| ConfigError::hidden("public_key", "the 32 bytes of an Ed25519 key"))?;
        Ok(Self { public_key, ..self })
    }

    fn check(&self, request: &LoginRequest<'_>) -> Result<Exchanged, Refused> {
        let bot = self.bots.get(request.appid()).ok_or(Refused::UnknownApp)?;
        let init_data = request.code();
        let fields = Fields::parse(init_data.strip_prefix("tma ").unwrap_or(init_data))?;
        let signed = bot.secret.check(&fields, &self.public_key)?;
        let signed_at = fields.number("auth_date")?;
        self.age.check(signed_at, request.received_at())?;
        let identity = Identity::new(Arc::clone(&bot.appid), user_id(&fields)?);
        Ok(Exchanged::new(identity).once_per(signed))
    }
}

/// An integer of up to 52 bits, which a floating-point number would hold as well: read exactly.
fn user_id(fields: &Fields<'_>) -> Result<String, Refused> {
    #[derive(Deserialize)]
    struct User {
        id: u64,
    }
    let user = serde_json::from_str(fields.get("user")?);
    user.map(|User { id }| id.to_string())
        .map_err(|_| Refused::NoUser)
}

impl IdentityProvider for Telegram {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.bots.resolve(appid)
    }

    fn code_policy(&self, _: &str) -> CodePolicy {
        self.age.policy()
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        Ok(self.check(&request)?)
    }
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram")
            .field("bots", &self.bots)
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_bots_and_no_token() {
        let telegram = Telegram::new("1:canary").unwrap().with_third_party(2);
        assert_eq!(
            format!("{telegram:?}"),
            r#"Telegram { bots: Apps([App { appid: "1", .. }, App { appid: "2", .. }]), age: Age { max: 3600s }, .. }"#,
        );
    }

    #[test]
    fn a_user_has_an_integer_for_an_id() {
        let id = |user: &str| user_id(&Fields::parse(&format!("user={user}")).ok().unwrap());
        assert_eq!(
            id(r#"{"first_name":"A","id":7100000001}"#),
            Ok("7100000001".into())
        );
        // The largest of 52 bits.
        assert_eq!(
            id(r#"{"id":4503599627370495}"#),
            Ok("4503599627370495".into())
        );
        for user in [
            "",
            "null",
            "7",
            "[7]x",
            "{}",
            r#"{"id":null}"#,
            r#"{"id":"7"}"#,
            r#"{"id":7.0}"#,
            r#"{"id":7e3}"#,
            r#"{"id":-7}"#,
            r#"{"id":18446744073709551616}"#,
            r#"{"id":7,"id":8}"#,
            r#"{"id":7}{}"#,
            r#"{"ID":7}"#,
        ] {
            assert_eq!(id(user), Err(Refused::NoUser), "{user}");
        }
        let none = user_id(&Fields::parse("a=1").ok().unwrap());
        assert_eq!(none, Err(Refused::Missing("user")));
    }
}
