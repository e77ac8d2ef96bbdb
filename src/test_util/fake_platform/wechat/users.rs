use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::json;

use super::WeChat;
use super::api::{Asked, Verdict};
use crate::hex;
use crate::test_util::fake_platform::codes::Codes;
use crate::test_util::fake_platform::dialect::Dialect;
use crate::test_util::fake_platform::outcome::{User, digest, user_id};

impl WeChat {
    pub(super) fn check_session(&mut self, asked: &Asked<'_>) -> Verdict {
        self.signed(asked, &Method::GET)?;
        Ok(json!({}))
    }

    pub(super) fn reset_session(&mut self, asked: &Asked<'_>) -> Verdict {
        let openid = self.signed(asked, &Method::GET)?;
        let key = self.keys.reset(&asked.appid, &openid);
        Ok(json!({ "openid": openid, "session_key": key }))
    }

    pub(super) fn encrypt_keys(&mut self, asked: &Asked<'_>) -> Verdict {
        let openid = self.signed(asked, asked.request.method())?;
        let keys = [(10, 3597), (9, 0), (8, 0)].map(|(version, expire_in)| {
            let digest = digest(&["encrypt_key", &openid, &version.to_string()]);
            json!({
                "encrypt_key": User::key_of(&digest),
                "version": version,
                "expire_in": expire_in,
                "iv": hex::encode(&digest[16..24]),
                "create_time": 1_616_572_301 - 3600 * (10 - version),
            })
        });
        Ok(json!({ "key_info_list": keys }))
    }

    fn signed(&self, asked: &Asked<'_>, method: &Method) -> Result<String, i64> {
        if asked.request.method() != method {
            return Err(43001);
        }
        let (query, body) = (asked.request.query(), asked.request.body());
        self.keys.check(&asked.appid, &query, body)
    }

    pub(super) fn phone_number(&mut self, asked: &Asked<'_>) -> Verdict {
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

    pub(super) fn verify_info(&mut self, asked: &Asked<'_>) -> Verdict {
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
