//! Every refusal as clients of Connect see it, written out (design: "On the wire").
//!
//! The details were encoded by Google's own library for Protocol Buffers.

/// A row of the two tables on the wire.
#[derive(Debug)]
pub struct Golden {
    pub case: &'static str,
    /// Of a unary call. A stream has 200.
    pub status: u16,
    /// A unary call has it as its body, a stream as the `error` in its last envelope.
    pub error: &'static str,
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
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_missing: no session token: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"Cg9TRVNTSU9OX01JU1NJTkcSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg"}]}"#,
    },
    Golden {
        case: "malformed",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_malformed: not a session token: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"ChFTRVNTSU9OX01BTEZPUk1FRBIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBWxvZ2lu"}]}"#,
    },
    Golden {
        case: "never seen",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_unknown: session not known: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"Cg9TRVNTSU9OX1VOS05PV04SEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg"}]}"#,
    },
    Golden {
        case: "idle",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_idle_expired: session idle for too long: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"ChRTRVNTSU9OX0lETEVfRVhQSVJFRBIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBWxvZ2lu"}]}"#,
    },
    Golden {
        case: "expired",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_expired: session expired: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"Cg9TRVNTSU9OX0VYUElSRUQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg"}]}"#,
    },
    Golden {
        case: "logged out",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_revoked: session logged out: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"Cg9TRVNTSU9OX1JFVk9LRUQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg"}]}"#,
    },
    Golden {
        case: "kicked out",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_kicked_out: session ended by the service: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"ChJTRVNTSU9OX0tJQ0tFRF9PVVQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg"}]}"#,
    },
    Golden {
        case: "replaced",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_replaced: session replaced by a newer login: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"ChBTRVNTSU9OX1JFUExBQ0VEEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFbG9naW4"}]}"#,
    },
    Golden {
        case: "session_key over",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"session_key_expired: session_key expired: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"ChNTRVNTSU9OX0tFWV9FWFBJUkVEEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFbG9naW4"}]}"#,
    },
    Golden {
        case: "several",
        status: 400,
        error: r#"{"code":"invalid_argument","message":"ambiguous_token: several different session tokens","details":[{"type":"google.rpc.ErrorInfo","value":"Cg9BTUJJR1VPVVNfVE9LRU4SEHRvd2VyLXd4LXNlc3Npb24aDgoGYWN0aW9uEgRub25l"}]}"#,
    },
    Golden {
        case: "store down",
        status: 503,
        error: r#"{"code":"unavailable","message":"store_unavailable: session store unavailable: retry","details":[{"type":"google.rpc.ErrorInfo","value":"ChFTVE9SRV9VTkFWQUlMQUJMRRIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBXJldHJ5"},{"type":"google.rpc.RetryInfo","value":"CgIIAQ"}]}"#,
    },
];

pub const LOGIN: &[Golden] = &[
    Golden {
        case: "code rejected",
        status: 401,
        error: r#"{"code":"unauthenticated","message":"code_rejected: login code rejected: call wx.login","details":[{"type":"google.rpc.ErrorInfo","value":"Cg1DT0RFX1JFSkVDVEVEEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFbG9naW4"}]}"#,
    },
    Golden {
        case: "provider unavailable",
        status: 503,
        error: r#"{"code":"unavailable","message":"provider_unavailable: login provider unavailable: retry with a fresh code","details":[{"type":"google.rpc.ErrorInfo","value":"ChRQUk9WSURFUl9VTkFWQUlMQUJMRRIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBXJldHJ5"},{"type":"google.rpc.RetryInfo","value":"CgIIAw"}]}"#,
    },
    Golden {
        case: "minute quota",
        status: 429,
        error: r#"{"code":"resource_exhausted","message":"rate_limited: too many logins: retry later with a fresh code","details":[{"type":"google.rpc.ErrorInfo","value":"CgxSQVRFX0xJTUlURUQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVyZXRyeQ"},{"type":"google.rpc.RetryInfo","value":"CgIIPA"}]}"#,
    },
    Golden {
        case: "daily quota",
        status: 429,
        error: r#"{"code":"resource_exhausted","message":"rate_limited: too many logins: retry later with a fresh code","details":[{"type":"google.rpc.ErrorInfo","value":"CgxSQVRFX0xJTUlURUQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVyZXRyeQ"},{"type":"google.rpc.RetryInfo","value":"CgMIkBw"}]}"#,
    },
    Golden {
        case: "user blocked",
        status: 403,
        error: r#"{"code":"permission_denied","message":"user_blocked: user may not log in","details":[{"type":"google.rpc.ErrorInfo","value":"CgxVU0VSX0JMT0NLRUQSEHRvd2VyLXd4LXNlc3Npb24aDgoGYWN0aW9uEgRub25l"}]}"#,
    },
    Golden {
        case: "misconfigured",
        status: 500,
        error: r#"{"code":"internal","message":"provider_misconfigured: login is misconfigured on the server","details":[{"type":"google.rpc.ErrorInfo","value":"ChZQUk9WSURFUl9NSVNDT05GSUdVUkVEEhB0b3dlci13eC1zZXNzaW9uGg4KBmFjdGlvbhIEbm9uZQ"}]}"#,
    },
    Golden {
        case: "store down",
        status: 503,
        error: r#"{"code":"unavailable","message":"store_unavailable: session store unavailable: retry","details":[{"type":"google.rpc.ErrorInfo","value":"ChFTVE9SRV9VTkFWQUlMQUJMRRIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBXJldHJ5"},{"type":"google.rpc.RetryInfo","value":"CgIIAQ"}]}"#,
    },
    Golden {
        case: "bad request",
        status: 400,
        error: r#"{"code":"invalid_argument","message":"bad_request: no usable login code or appid in the request","details":[{"type":"google.rpc.ErrorInfo","value":"CgtCQURfUkVRVUVTVBIQdG93ZXItd3gtc2Vzc2lvbhoOCgZhY3Rpb24SBG5vbmU"}]}"#,
    },
    Golden {
        case: "method",
        status: 501,
        error: r#"{"code":"unimplemented","message":"bad_request: method not allowed at the login endpoint","details":[{"type":"google.rpc.ErrorInfo","value":"CgtCQURfUkVRVUVTVBIQdG93ZXItd3gtc2Vzc2lvbhoOCgZhY3Rpb24SBG5vbmU"}]}"#,
    },
];
