mod access_tokens;
mod code2session;
mod session_keys;
mod words;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use self::access_tokens::AccessTokens;
pub(super) use self::code2session::exchange;
use self::session_keys::SessionKeys;
use self::words::error;
pub(super) use self::words::{errcode, errmsg};
use super::FakeWeChat;
use super::answer::Answer;
use super::codes::Codes;
use super::dialect::Dialect;
use super::fault::Fault;
use super::outcome::{Refused, User, digest, user_id};
use super::received::Received;
use super::world::World;

/// What the APIs answer with, code2Session aside.
const JSON: &str = "application/json; encoding=utf-8";

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

impl Dialect for WeChat {
    const APPID: &'static str = "wxfa4efa4e00000001";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4e5ec2e7fa4e01";

    fn start() -> Self {
        Self {
            tokens: AccessTokens::default(),
            token_fault: None,
            keys: SessionKeys::default(),
            phone_codes: Codes::living_for(CODE_LIFETIME),
            multi_end_codes: Codes::living_for(CODE_LIFETIME),
            calls: 0,
        }
    }

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        self.calls += 1;
        Some(match request.path() {
            "/sns/jscode2session" if request.method() == Method::GET => {
                code2session::code2session(request, world, |appid, user| {
                    self.keys.note(appid, &user.openid, &user.session_key);
                })
            }
            "/cgi-bin/stable_token" => self.token(Method::POST, request, world, Self::stable),
            "/cgi-bin/token" => self.token(Method::GET, request, world, Self::replacing),
            "/wxa/checksession" => self.api(request, world, Self::check_session),
            "/wxa/resetusersessionkey" => self.api(request, world, Self::reset_session),
            "/wxa/business/getuserencryptkey" => self.api(request, world, Self::encrypt_keys),
            "/wxa/business/getuserphonenumber" => self.api(request, world, Self::phone_number),
            "/donut/code2verifyinfo" => self.api(request, world, Self::verify_info),
            _ => return None,
        })
    }
}

/// What an API says: the members of a success beside `errcode`, or the errcode of a refusal.
type Verdict = Result<Value, i64>;

/// A request to an API, and what the fake knows when it comes.
struct Asked<'a> {
    request: &'a Received<'a>,
    world: &'a World,
    appid: String,
}

impl WeChat {
    /// Hands out an access_token.
    fn token(
        &mut self,
        method: Method,
        request: &Received<'_>,
        world: &World,
        issue: impl FnOnce(&mut Self, &Received<'_>, &World) -> Verdict,
    ) -> Answer {
        let fault = self.token_fault;
        let verdict = match request.method() == method {
            true => issue(self, request, world),
            false => Err(if method == Method::GET { 43001 } else { 43002 }),
        };
        // A success has no errcode.
        self.write(fault, verdict, json!({}))
    }

    fn stable(&mut self, request: &Received<'_>, world: &World) -> Verdict {
        let body = request.json_value();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (appid, secret) = (text("appid"), text("secret"));
        check_app(world, &text("grant_type"), &appid, &secret)?;
        let now = world.now();
        let issued = match body["force_refresh"] == true {
            true => self.tokens.forced(&appid, now).ok_or(45009)?,
            false => self.tokens.stable(&appid, now),
        };
        Ok(json!({ "access_token": issued.0, "expires_in": issued.1 }))
    }

    fn replacing(&mut self, request: &Received<'_>, world: &World) -> Verdict {
        let query = request.query();
        let (appid, secret) = (query.get("appid"), query.get("secret"));
        check_app(world, query.get("grant_type"), appid, secret)?;
        let issued = self.tokens.replacing(appid, world.now());
        Ok(json!({ "access_token": issued.0, "expires_in": issued.1 }))
    }

    /// Answers a call that takes an access_token.
    fn api(
        &mut self,
        request: &Received<'_>,
        world: &mut World,
        answer: impl FnOnce(&mut Self, &Asked<'_>) -> Verdict,
    ) -> Answer {
        let query = request.query();
        let app = self.tokens.app_of(query.get("access_token"), world.now());
        // The token comes first: who has none meets no fault and spends no code.
        let fault = match &app {
            Ok(_) => world.fault(request.json().get("code")),
            Err(_) => None,
        };
        let verdict = app.and_then(|appid| {
            answer(
                self,
                &Asked {
                    request,
                    world,
                    appid,
                },
            )
        });
        self.write(fault, verdict, json!({ "errcode": 0, "errmsg": "ok" }))
    }

    fn check_session(&mut self, asked: &Asked<'_>) -> Verdict {
        self.signed(asked, Method::GET)?;
        Ok(json!({}))
    }

    fn reset_session(&mut self, asked: &Asked<'_>) -> Verdict {
        let openid = self.signed(asked, Method::GET)?;
        let key = self.keys.reset(&asked.appid, &openid);
        Ok(json!({ "openid": openid, "session_key": key }))
    }

    fn encrypt_keys(&mut self, asked: &Asked<'_>) -> Verdict {
        let openid = self.signed(asked, asked.request.method().clone())?;
        let keys = [(10, 3597), (9, 0), (8, 0)].map(|(version, expire_in)| {
            let digest = digest(&["encrypt_key", &openid, &version.to_string()]);
            let iv: String = digest[16..24]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            json!({
                "encrypt_key": User::key_of(&digest),
                "version": version,
                "expire_in": expire_in,
                "iv": iv,
                "create_time": 1_616_572_301 - 3600 * (10 - version),
            })
        });
        Ok(json!({ "key_info_list": keys }))
    }

    fn signed(&self, asked: &Asked<'_>, method: Method) -> Result<String, i64> {
        if asked.request.method() != method {
            return Err(43001);
        }
        let (query, body) = (asked.request.query(), asked.request.body());
        self.keys.check(&asked.appid, &query, body)
    }

    fn phone_number(&mut self, asked: &Asked<'_>) -> Verdict {
        if asked.request.method() != Method::POST {
            return Err(43002);
        }
        let name = spend(&mut self.phone_codes, asked)?;
        let number = phone_of(&name);
        Ok(json!({ "phone_info": {
            "phoneNumber": number,
            "purePhoneNumber": number,
            "countryCode": 86,
            "watermark": { "timestamp": unix_time(), "appid": asked.appid },
        } }))
    }

    fn verify_info(&mut self, asked: &Asked<'_>) -> Verdict {
        if asked.request.method() != Method::GET {
            return Err(43001);
        }
        let body = asked.request.json();
        match () {
            () if body.get("grant_type") != "authorization_code" => return Err(10_001_004),
            () if body.get("appid") != asked.appid => return Err(10_001_002),
            () if asked.world.secret_of(&asked.appid) != Some(body.get("appsecret")) => {
                return Err(10_001_003);
            }
            () => {}
        }
        let name = spend(&mut self.multi_end_codes, asked).map_err(|_| 10_001_001)?;
        let unionid = user_id(&["unionid", &name]);
        Ok(json!({
            "login_info": { "type": "weixinMiniProgram", "login_time": unix_time(), "appid": asked.appid },
            "user_info": {
                "user_id": user_id(&["user_id", &asked.appid, &name]),
                "miniprogram_info": {
                    "appid": Self::APPID,
                    "openid": user_id(&["openid", Self::APPID, &name]),
                    "unionid": unionid,
                },
                "phone_info": { "phone": phone_of(&name) },
            },
        }))
    }

    /// A fault in place of the verdict, or on the way of it.
    fn write(&self, fault: Option<Fault>, verdict: Verdict, success: Value) -> Answer {
        let instead = fault.map(|fault| fault.instead_of(Ok(User::nobody())));
        let body = match (instead, verdict) {
            (Some(Err(refused)), _) => error(refused, self.calls),
            (_, Err(errcode)) => error(Refused::Errcode(errcode), self.calls),
            (_, Ok(members)) => merged(success, members).to_string(),
        };
        Answer::ok(JSON, body).with_fault(fault)
    }
}

fn merged(mut all: Value, members: Value) -> Value {
    if let (Some(all), Value::Object(members)) = (all.as_object_mut(), members) {
        all.extend(members);
    }
    all
}

fn check_app(world: &World, grant_type: &str, appid: &str, secret: &str) -> Result<(), i64> {
    match world.secret_of(appid) {
        _ if grant_type != "client_credential" => Err(40002),
        _ if appid.is_empty() => Err(41002),
        _ if secret.is_empty() => Err(41004),
        None => Err(40013),
        Some(known) if known != secret => Err(40125),
        Some(_) => Ok(()),
    }
}

/// Uses up the code of a JSON body; gives the name of its user.
fn spend(codes: &mut Codes, asked: &Asked<'_>) -> Result<String, i64> {
    let body = asked.request.json();
    let code = body.get("code");
    codes.count_exchange(code, asked.world.now());
    let name = codes.spend(code, asked.world.now());
    name.map(str::to_owned).map_err(|_| 40029)
}

/// A number that looks like one of a mobile phone in China.
fn phone_of(name: &str) -> String {
    let digits = digest(&["phone", name]).map(|byte| char::from(b'0' + byte % 10));
    format!("13{}", digits[..9].iter().collect::<String>())
}

fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
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
