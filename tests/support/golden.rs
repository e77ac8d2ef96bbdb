//! Every refusal as clients see it, written out (design: "On the wire").

/// A row of the two tables on the wire.
#[derive(Debug)]
pub struct Golden {
    pub case: &'static str,
    /// The `RejectionKind` in the response's extensions, as its `Debug`.
    pub kind: &'static str,
    /// Under the preset `json`; under `ok_json` it is 200.
    pub status: u16,
    pub wafer_status: u16,
    /// The body under the presets `json` and `ok_json`.
    pub json: &'static str,
    pub wafer: &'static str,
    /// `WWW-Authenticate`.
    pub challenge: Option<&'static str>,
    /// `Retry-After`.
    pub retry_after: Option<&'static str>,
}

impl Golden {
    /// `X-WX-Action`, as in the body.
    pub fn action(&self) -> &'static str {
        let action = self.json.split_once(r#""action":""#).unwrap().1;
        action.trim_end_matches(r#""}"#)
    }
}

/// The row of a case.
#[track_caller]
pub fn golden(table: &'static [Golden], case: &str) -> &'static Golden {
    let row = table.iter().find(|row| row.case == case);
    row.unwrap_or_else(|| panic!("no row {case}"))
}

pub const LAYER: &[Golden] = &[
    Golden {
        case: "missing",
        kind: "SessionMissing",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"no session token: call wx.login","reason":"session_missing","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"no session token: call wx.login","reason":"session_missing","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some("Bearer"),
        retry_after: None,
    },
    Golden {
        case: "malformed",
        kind: "SessionMalformed",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"not a session token: call wx.login","reason":"session_malformed","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"not a session token: call wx.login","reason":"session_malformed","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="not a session token: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "never seen",
        kind: "SessionUnknown",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"session not known: call wx.login","reason":"session_unknown","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"session not known: call wx.login","reason":"session_unknown","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="session not known: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "idle",
        kind: "SessionIdleExpired",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"session idle for too long: call wx.login","reason":"session_idle_expired","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"session idle for too long: call wx.login","reason":"session_idle_expired","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="session idle for too long: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "expired",
        kind: "SessionExpired",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"session expired: call wx.login","reason":"session_expired","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"session expired: call wx.login","reason":"session_expired","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="session expired: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "logged out",
        kind: "SessionRevoked",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"session logged out: call wx.login","reason":"session_revoked","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"session logged out: call wx.login","reason":"session_revoked","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="session logged out: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "kicked out",
        kind: "SessionKickedOut",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"session ended by the service: call wx.login","reason":"session_kicked_out","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"session ended by the service: call wx.login","reason":"session_kicked_out","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="session ended by the service: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "replaced",
        kind: "SessionReplaced",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"session replaced by a newer login: call wx.login","reason":"session_replaced","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"session replaced by a newer login: call wx.login","reason":"session_replaced","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="session replaced by a newer login: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "session_key over",
        kind: "SessionKeyExpired",
        status: 401,
        wafer_status: 200,
        json: r#"{"errcode":401,"errmsg":"session_key expired: call wx.login","reason":"session_key_expired","action":"login"}"#,
        wafer: r#"{"errcode":401,"errmsg":"session_key expired: call wx.login","reason":"session_key_expired","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: Some(
            r#"Bearer error="invalid_token", error_description="session_key expired: call wx.login""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "several",
        kind: "AmbiguousToken",
        status: 400,
        wafer_status: 400,
        json: r#"{"errcode":400,"errmsg":"several different session tokens","reason":"ambiguous_token","action":"none"}"#,
        wafer: r#"{"errcode":400,"errmsg":"several different session tokens","reason":"ambiguous_token","action":"none","code":400}"#,
        challenge: Some(
            r#"Bearer error="invalid_request", error_description="several different session tokens""#,
        ),
        retry_after: None,
    },
    Golden {
        case: "store down",
        kind: "StoreUnavailable",
        status: 503,
        wafer_status: 503,
        json: r#"{"errcode":503,"errmsg":"session store unavailable: retry","reason":"store_unavailable","action":"retry"}"#,
        wafer: r#"{"errcode":503,"errmsg":"session store unavailable: retry","reason":"store_unavailable","action":"retry","code":503}"#,
        challenge: None,
        retry_after: Some("1"),
    },
];

pub const LOGIN: &[Golden] = &[
    Golden {
        case: "code rejected",
        kind: "CodeRejected",
        status: 400,
        wafer_status: 200,
        json: r#"{"errcode":400,"errmsg":"login code rejected: call wx.login","reason":"code_rejected","action":"login"}"#,
        wafer: r#"{"errcode":400,"errmsg":"login code rejected: call wx.login","reason":"code_rejected","action":"login","F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"code":-1,"error":"ERR_INVALID_SESSION"}"#,
        challenge: None,
        retry_after: None,
    },
    Golden {
        case: "provider unavailable",
        kind: "ProviderUnavailable",
        status: 503,
        wafer_status: 503,
        json: r#"{"errcode":503,"errmsg":"login provider unavailable: retry with a fresh code","reason":"provider_unavailable","action":"retry"}"#,
        wafer: r#"{"errcode":503,"errmsg":"login provider unavailable: retry with a fresh code","reason":"provider_unavailable","action":"retry","code":503}"#,
        challenge: None,
        retry_after: Some("3"),
    },
    Golden {
        case: "minute quota",
        kind: "RateLimited",
        status: 429,
        wafer_status: 429,
        json: r#"{"errcode":429,"errmsg":"too many logins: retry later with a fresh code","reason":"rate_limited","action":"retry"}"#,
        wafer: r#"{"errcode":429,"errmsg":"too many logins: retry later with a fresh code","reason":"rate_limited","action":"retry","code":429}"#,
        challenge: None,
        retry_after: Some("60"),
    },
    Golden {
        case: "daily quota",
        kind: "RateLimited",
        status: 429,
        wafer_status: 429,
        json: r#"{"errcode":429,"errmsg":"too many logins: retry later with a fresh code","reason":"rate_limited","action":"retry"}"#,
        wafer: r#"{"errcode":429,"errmsg":"too many logins: retry later with a fresh code","reason":"rate_limited","action":"retry","code":429}"#,
        challenge: None,
        retry_after: Some("3600"),
    },
    Golden {
        case: "user blocked",
        kind: "UserBlocked",
        status: 403,
        wafer_status: 403,
        json: r#"{"errcode":403,"errmsg":"user may not log in","reason":"user_blocked","action":"none"}"#,
        wafer: r#"{"errcode":403,"errmsg":"user may not log in","reason":"user_blocked","action":"none","code":403}"#,
        challenge: None,
        retry_after: None,
    },
    Golden {
        case: "misconfigured",
        kind: "ProviderMisconfigured",
        status: 500,
        wafer_status: 500,
        json: r#"{"errcode":500,"errmsg":"login is misconfigured on the server","reason":"provider_misconfigured","action":"none"}"#,
        wafer: r#"{"errcode":500,"errmsg":"login is misconfigured on the server","reason":"provider_misconfigured","action":"none","code":500}"#,
        challenge: None,
        retry_after: None,
    },
    Golden {
        case: "store down",
        kind: "StoreUnavailable",
        status: 503,
        wafer_status: 503,
        json: r#"{"errcode":503,"errmsg":"session store unavailable: retry","reason":"store_unavailable","action":"retry"}"#,
        wafer: r#"{"errcode":503,"errmsg":"session store unavailable: retry","reason":"store_unavailable","action":"retry","code":503}"#,
        challenge: None,
        retry_after: Some("1"),
    },
    Golden {
        case: "bad request",
        kind: "BadRequest",
        status: 400,
        wafer_status: 400,
        json: r#"{"errcode":400,"errmsg":"no usable login code or appid in the request","reason":"bad_request","action":"none"}"#,
        wafer: r#"{"errcode":400,"errmsg":"no usable login code or appid in the request","reason":"bad_request","action":"none","code":400}"#,
        challenge: None,
        retry_after: None,
    },
    Golden {
        case: "method",
        kind: "MethodNotAllowed",
        status: 405,
        wafer_status: 405,
        json: r#"{"errcode":405,"errmsg":"method not allowed at the login endpoint","reason":"bad_request","action":"none"}"#,
        wafer: r#"{"errcode":405,"errmsg":"method not allowed at the login endpoint","reason":"bad_request","action":"none","code":405}"#,
        challenge: None,
        retry_after: None,
    },
];
