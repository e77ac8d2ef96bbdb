use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::code::{self, seconds, user_id};
use crate::login::{CodePolicy, ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use crate::platform::Vk;

const APP_ID: &str = "6000002";
const SECURE_KEY: &str = "FakeSecureKeyForTests";

/// Signs launch parameters the way VK does, for tests.
///
/// # Codes
///
/// It is an [`IdentityProvider`] itself, for examples: a real [`Vk`] that takes `NAME:anything` for
/// the launch parameters of the user NAME, signed now and good once. `old:1` is signed a day ago,
/// and `broken:1` is no launch query: both are refused. Anything else is taken for a launch query.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_wx_session::login::{IdentityProvider, LoginRequest};
/// use tower_wx_session::test_util::FakeVk;
///
/// let fake = FakeVk::new();
/// let exchange = async |code| fake.exchange(LoginRequest::new(fake.appid(), code)).await;
/// let alice = exchange("alice:1").await?;
/// assert_eq!(alice.identity().openid(), fake.openid("alice"));
/// assert!(exchange("old:1").await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FakeVk {
    vk: Vk,
}

impl FakeVk {
    /// VK, with one app.
    #[must_use]
    pub fn new() -> Self {
        let vk = Vk::new(APP_ID, SECURE_KEY);
        Self { vk }
    }

    /// The id of its app.
    #[must_use]
    pub fn appid(&self) -> &str {
        APP_ID
    }

    /// The secure key of its app.
    #[must_use]
    pub fn secure_key(&self) -> &str {
        SECURE_KEY
    }

    /// The `vk_user_id` of the user NAME.
    #[must_use]
    pub fn openid(&self, name: &str) -> String {
        user_id(name).to_string()
    }

    /// The launch parameters of the user NAME, who opens the app now: a query without its `?`.
    #[must_use]
    pub fn launch_query(&self, name: &str) -> String {
        self.launch_query_at(name, SystemTime::now())
    }

    /// The launch parameters of the user NAME, who opened the app at this time.
    ///
    /// The same user has the same ones within a second.
    #[must_use]
    pub fn launch_query_at(&self, name: &str, at: SystemTime) -> String {
        // In the order in which they are signed.
        let signed = form_urlencoded::Serializer::new(String::new())
            .append_pair("vk_access_token_settings", "friends,notify")
            .append_pair("vk_app_id", APP_ID)
            .append_pair("vk_are_notifications_enabled", "0")
            .append_pair("vk_is_app_user", "1")
            .append_pair("vk_is_favorite", "0")
            .append_pair("vk_language", "en")
            .append_pair("vk_platform", "desktop_web")
            .append_pair("vk_ref", "other")
            .append_pair("vk_ts", &seconds(at))
            .append_pair("vk_user_id", &self.openid(name))
            .finish();
        format!("{signed}&sign={}", sign(&signed))
    }
}

fn sign(text: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECURE_KEY.as_bytes());
    let mac = mac
        .expect("HMAC takes a key of any length")
        .chain_update(text);
    BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

impl IdentityProvider for FakeVk {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.vk.resolve(appid)
    }

    fn code_policy(&self, appid: &str) -> CodePolicy {
        self.vk.code_policy(appid)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let sign = |name: &str, at| self.launch_query_at(name, at);
        code::exchange(&self.vk, request, sign).await
    }
}

impl Default for FakeVk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeVk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeVk").finish_non_exhaustive()
    }
}
