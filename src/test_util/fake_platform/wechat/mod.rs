mod access_tokens;
mod api;
mod code2session;
mod grants;
mod session_keys;
mod users;
mod words;

use std::time::Duration;

use http::Method;

use self::access_tokens::AccessTokens;
pub(super) use self::code2session::exchange;
use self::session_keys::SessionKeys;
pub(super) use self::words::{errcode, errmsg};
use super::FakeWeChat;
use super::answer::Answer;
use super::codes::Codes;
use super::dialect::Dialect;
use super::fault::Fault;
use super::received::Received;
use super::world::World;

/// How long the codes of phone numbers and of multi-end apps are good.
const CODE_LIFETIME: Duration = Duration::from_secs(300);

/// WeChat's words.
#[derive(Debug)]
pub struct WeChat {
    tokens: AccessTokens,
    token_fault: Option<Fault>,
    keys: SessionKeys,
    phone_codes: Codes,
    multi_end_codes: Codes,
    calls: u64,
}

impl Default for WeChat {
    fn default() -> Self {
        Self {
            tokens: AccessTokens::default(),
            token_fault: None,
            keys: SessionKeys::default(),
            phone_codes: Codes::living_for(CODE_LIFETIME),
            multi_end_codes: Codes::living_for(CODE_LIFETIME),
            calls: 0,
        }
    }
}

impl Dialect for WeChat {
    const APPID: &'static str = "wxfa4efa4e00000001";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4e5ec2e7fa4e01";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        self.calls += 1;
        Some(match request.path() {
            "/sns/jscode2session" if request.method() == Method::GET => {
                code2session::code2session(request, world, |appid, user| {
                    self.keys.note(appid, &user.openid, &user.session_key);
                })
            }
            "/cgi-bin/stable_token" => self.token(&Method::POST, request, world, Self::stable),
            "/cgi-bin/token" => self.token(&Method::GET, request, world, Self::replacing),
            "/wxa/checksession" => self.api(request, world, Self::check_session),
            "/wxa/resetusersessionkey" => self.api(request, world, Self::reset_session),
            "/wxa/business/getuserencryptkey" => self.api(request, world, Self::encrypt_keys),
            "/wxa/business/getuserphonenumber" => self.api(request, world, Self::phone_number),
            "/donut/code2verifyinfo" => self.api(request, world, Self::verify_info),
            _ => return None,
        })
    }
}

/// What WeChat has besides: access_tokens, and the session_key of each user's last code.
impl FakeWeChat {
    /// Ends all access_tokens: the APIs refuse them (42001), and there are new ones to be had.
    pub fn expire_access_tokens(&self) {
        let (wechat, world) = &mut *self.lock();
        wechat.tokens.expire(world.now());
    }

    /// Has the APIs refuse the access_tokens that there are (40001) while `stable_token` still hands
    /// them out, until it is called with `force_refresh`.
    pub fn spoil_access_tokens(&self) {
        self.lock().0.tokens.spoil();
    }

    /// Answers every request for an access_token with this fault; `None` ends it.
    pub fn fail_access_tokens(&self, fault: Option<Fault>) {
        self.lock().0.token_fault = fault;
    }

    /// Ends all users' session_keys: 87009 from now on, until they log in.
    pub fn end_session_keys(&self) {
        self.lock().0.keys.end();
    }

    /// The session_key of a user's last code, or what it was reset to.
    #[must_use]
    pub fn session_key_of(&self, appid: &str, openid: &str) -> Option<String> {
        self.lock().0.keys.get(appid, openid)
    }
}
