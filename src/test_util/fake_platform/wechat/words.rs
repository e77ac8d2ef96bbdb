use crate::test_util::fake_platform::outcome::{Refused, digest};

/// What code2Session answers with.
pub(super) const MIME: &str = "text/plain";

/// A refusal, with the id by which WeChat finds the request.
pub(in super::super) fn error(refused: Refused, request: u64) -> String {
    let (errcode, rid) = (errcode(refused), rid(request));
    let (written, text) = (refused.written(errcode), errmsg(errcode));
    format!("{{\"errcode\":{written},\"errmsg\":\"{text}, rid: {rid}\"}}")
}

pub(in super::super) const fn errcode(refused: Refused) -> i64 {
    match refused {
        Refused::Busy => -1,
        Refused::BadRequest => 40002,
        Refused::UnknownApp => 40013,
        Refused::BadCode | Refused::StringErrcode | Refused::Word(_) => 40029,
        Refused::WrongSecret => 40125,
        Refused::UsedCode => 40163,
        Refused::Blocked => 40226,
        Refused::NoAppid => 41002,
        Refused::NoSecret => 41004,
        Refused::NoCode => 41008,
        Refused::Quota => 45009,
        Refused::Limited => 45011,
        Refused::Errcode(errcode) => errcode,
    }
}

pub(in super::super) const fn errmsg(errcode: i64) -> &'static str {
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
        40001 => "invalid credential, access_token is invalid or not latest",
        40003 => "invalid openid",
        42001 => "access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        87008 => "invalid sig_method",
        87009 => "invalid signature",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        _ => "error",
    }
}

fn rid(request: u64) -> String {
    let d = digest(&["rid", &request.to_string()]);
    let word = |at: usize| u32::from_be_bytes([d[at], d[at + 1], d[at + 2], d[at + 3]]);
    format!("{:08x}-{:08x}-{:08x}", word(0), word(4), word(8))
}
