use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::outcome::{Refused, User, digest};
use super::request::OauthToken;
use crate::platform::alipay::PrivateKey;

const METHOD: &str = "alipay_system_oauth_token_response";

/// The part of an answer that is signed.
pub(super) struct Node {
    name: &'static str,
    members: Value,
    is_signed: bool,
}

impl Node {
    pub(super) fn success(user: &User, number: u64) -> Self {
        let mut members = json!({
            "access_token": token("access", number),
            "auth_start": "2024-05-06 07:08:10",
            "expires_in": 1_296_000,
            "open_id": user.openid,
            "re_expires_in": 2_592_000,
            "refresh_token": token("refresh", number),
        });
        if let Some(unionid) = &user.unionid {
            members["union_id"] = json!(unionid);
        }
        Self {
            name: METHOD,
            members,
            is_signed: true,
        }
    }

    /// An error: what is wrong with a code stands in another node, as at Alipay.
    pub(super) fn error(refused: Refused, request: &OauthToken) -> Self {
        let (code, sub_code) = error(refused);
        let mut members = json!({ "code": code, "msg": msg(&code) });
        if !sub_code.is_empty() {
            members["sub_code"] = json!(sub_code);
            members["sub_msg"] = json!(sub_msg(sub_code, request));
        }
        Self {
            name: match sub_code {
                "isv.code-invalid" => "error_response",
                _ => METHOD,
            },
            members,
            is_signed: !is_unsigned(sub_code),
        }
    }

    /// The answer with this node.
    pub(super) fn signed_by(&self, key: &PrivateKey) -> String {
        let (name, text) = (self.name, self.members.to_string());
        match self.is_signed {
            true => format!("{{\"{name}\":{text},\"sign\":\"{}\"}}", key.sign(&text)),
            false => format!("{{\"{name}\":{text}}}"),
        }
    }
}

fn error(refused: Refused) -> (String, &'static str) {
    let (code, sub_code) = match refused {
        Refused::Busy => ("20000", "isp.unknow-error"),
        Refused::NoAppid => ("40001", "isv.missing-app-id"),
        Refused::NoSecret => ("40001", "isv.missing-signature"),
        Refused::UnknownApp => ("40002", "isv.invalid-app-id"),
        Refused::WrongSecret => ("40002", "isv.invalid-signature"),
        Refused::BadRequest => ("40002", "isv.grant-type-invalid"),
        Refused::Limited | Refused::Quota => ("40005", "isv.app-call-limited"),
        Refused::Errcode(code) => return (code.to_string(), ""),
        Refused::Word(word) if word.starts_with("isv.missing-") => ("40001", word),
        Refused::Word(word) => ("40002", word),
        Refused::NoCode
        | Refused::BadCode
        | Refused::UsedCode
        | Refused::Blocked
        | Refused::StringErrcode => ("40002", "isv.code-invalid"),
    };
    (code.to_owned(), sub_code)
}

/// Before Alipay knows whose request it is, it signs nothing.
fn is_unsigned(sub_code: &str) -> bool {
    sub_code == "isv.invalid-app-id" || sub_code.starts_with("isv.missing-")
}

fn msg(code: &str) -> &'static str {
    match code {
        "20000" => "Service Currently Unavailable",
        "20001" => "Insufficient Token Permissions",
        "40001" => "Missing Required Arguments",
        "40002" => "Invalid Arguments",
        "40003" => "Insufficient Conditions",
        "40005" => "Call Limited",
        "40006" => "Insufficient Permissions",
        _ => "Business Failed",
    }
}

/// Alipay repeats what it verified, and the code is in it.
fn sub_msg(sub_code: &str, request: &OauthToken) -> String {
    match sub_code {
        "isp.unknow-error" => "系统繁忙".to_owned(),
        "isv.app-call-limited" => "应用调用次数超限，包含调用频率超限".to_owned(),
        "isv.code-invalid" => "授权码code无效".to_owned(),
        "isv.invalid-app-id" => "无效的AppID参数".to_owned(),
        "isv.invalid-signature" => {
            let text = request.signed_text().replace('&', "&amp;");
            format!("验签出错，网关生成的验签字符串为：{text}")
        }
        _ => "参数有误".to_owned(),
    }
}

fn token(kind: &str, number: u64) -> String {
    let digest = digest(&[kind, &number.to_string()]);
    format!("authusrB{}", BASE64_URL_SAFE_NO_PAD.encode(&digest[..24]))
}
