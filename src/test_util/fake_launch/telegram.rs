use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::code::{self, seconds, user_id};
use crate::hex;
use crate::login::{CodePolicy, ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use crate::platform::Telegram;

const BOT_ID: &str = "7000000002";
const BOT_TOKEN: &str = "7000000002:AAFakeTokenForTestsOnly-0123456789abcdef";
/// Telegram's, in its place.
const PRIVATE_KEY: [u8; 32] = [0x54; 32];

/// Signs launch data the way Telegram does, for tests.
///
/// It signs both ways: by the token of its bot, and with an Ed25519 key of its own.
///
/// # Codes
///
/// It is an [`IdentityProvider`] itself, for examples: a real [`Telegram`] that takes
/// `NAME:anything` for the launch data of the user NAME, signed now and good once. `old:1` is
/// signed a day ago, and `broken:1` is no launch data: both are refused. Anything else is taken
/// for launch data.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_wx_session::login::{IdentityProvider, LoginRequest};
/// use tower_wx_session::test_util::FakeTelegram;
///
/// let fake = FakeTelegram::new();
/// let exchange = async |code| fake.exchange(LoginRequest::new(fake.appid(), code)).await;
/// let alice = exchange("alice:1").await?;
/// assert_eq!(alice.identity().openid(), fake.openid("alice"));
/// assert!(exchange("old:1").await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FakeTelegram {
    telegram: Telegram,
}

impl FakeTelegram {
    /// Telegram, with one bot.
    #[must_use]
    pub fn new() -> Self {
        let telegram = Telegram::new(BOT_TOKEN).expect("the fake's token is a token");
        Self { telegram }
    }

    /// The id of its bot.
    #[must_use]
    pub fn appid(&self) -> &str {
        BOT_ID
    }

    /// The token of its bot.
    #[must_use]
    pub fn bot_token(&self) -> &str {
        BOT_TOKEN
    }

    /// What checks its `signature`s, by
    /// [`Telegram::with_public_key`](crate::platform::Telegram::with_public_key).
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        SigningKey::from_bytes(&PRIVATE_KEY)
            .verifying_key()
            .to_bytes()
    }

    /// The id of the user NAME.
    #[must_use]
    pub fn openid(&self, name: &str) -> String {
        user_id(name).to_string()
    }

    /// The `initData` of the user NAME, who opens the Mini App now.
    #[must_use]
    pub fn init_data(&self, name: &str) -> String {
        self.init_data_at(name, SystemTime::now())
    }

    /// The `initData` of the user NAME, who opened the Mini App at this time.
    ///
    /// The same user has the same one within a second.
    #[must_use]
    pub fn init_data_at(&self, name: &str, at: SystemTime) -> String {
        signed(name, &seconds(at))
    }
}

/// The lines and the fields have the same order, that of the alphabet, but for the last one.
fn signed(name: &str, auth_date: &str) -> String {
    let user = json!({ "id": user_id(name), "first_name": name }).to_string();
    let mut fields = vec![
        ("auth_date", auth_date),
        ("query_id", "AAFakeQueryId"),
        ("user", &user),
    ];
    let signature = third_party_signature(&lines(&fields));
    fields.insert(2, ("signature", &signature));
    let hash = hash(&lines(&fields));
    fields.push(("hash", &hash));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn lines(fields: &[(&str, &str)]) -> String {
    let lines: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    lines.join("\n")
}

fn third_party_signature(lines: &str) -> String {
    let key = SigningKey::from_bytes(&PRIVATE_KEY);
    let signature = key.sign(format!("{BOT_ID}:WebAppData\n{lines}").as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes())
}

fn hash(lines: &str) -> String {
    hex::encode(&hmac(&hmac(b"WebAppData", BOT_TOKEN), lines))
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.chain_update(text).finalize().into_bytes().into()
}

impl IdentityProvider for FakeTelegram {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.telegram.resolve(appid)
    }

    fn code_policy(&self, appid: &str) -> CodePolicy {
        self.telegram.code_policy(appid)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let sign = |name: &str, at| self.init_data_at(name, at);
        code::exchange(&self.telegram, request, sign).await
    }
}

impl Default for FakeTelegram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeTelegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTelegram").finish_non_exhaustive()
    }
}
