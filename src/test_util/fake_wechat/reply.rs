use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// What WeChat writes into the body of its answer.
pub(super) fn success(appid: &str, name: &str, code: &str, unionid: bool) -> String {
    let key = BASE64_STANDARD.encode(&digest(&["session_key", code])[..16]);
    let openid = user_id(&["openid", appid, name]);
    let unionid = match unionid {
        true => format!(",\"unionid\":\"{}\"", user_id(&["unionid", name])),
        false => String::new(),
    };
    format!("{{\"session_key\":\"{key}\",\"openid\":\"{openid}\"{unionid}}}")
}

pub(super) fn error(errcode: i64, request: u64) -> String {
    let (text, rid) = (errmsg(errcode), rid(request));
    format!("{{\"errcode\":{errcode},\"errmsg\":\"{text}, rid: {rid}\"}}")
}

pub(super) fn string_errcode(request: u64) -> String {
    let rid = rid(request);
    format!("{{\"errcode\":\"40029\",\"errmsg\":\"invalid code, rid: {rid}\"}}")
}

pub(super) fn empty_openid() -> String {
    "{\"session_key\":\"\",\"openid\":\"\"}".to_owned()
}

pub(super) fn html(title: &str) -> String {
    format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n")
}

const fn errmsg(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system busy",
        40002 => "invalid grant_type",
        40013 => "invalid appid",
        40029 => "invalid code",
        40125 => "invalid appsecret",
        40163 => "code been used",
        40226 => "code blocked",
        41002 => "appid missing",
        41004 => "appsecret missing",
        41008 => "missing code",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        _ => "error",
    }
}

/// 28 characters that begin with `o`, like WeChat's.
fn user_id(parts: &[&str]) -> String {
    format!("o{}", BASE64_URL_SAFE_NO_PAD.encode(&digest(parts)[..20]))
}

fn rid(request: u64) -> String {
    let d = digest(&["rid", &request.to_string()]);
    let word = |at: usize| u32::from_be_bytes([d[at], d[at + 1], d[at + 2], d[at + 3]]);
    format!("{:08x}-{:08x}-{:08x}", word(0), word(4), word(8))
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}
