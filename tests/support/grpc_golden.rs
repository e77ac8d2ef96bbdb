//! Every refusal as gRPC clients see it, written out (design: "On the wire").
//!
//! The details were encoded by Google's own library for Protocol Buffers.

/// A row of the two tables on the wire.
#[derive(Debug)]
pub struct Golden {
    pub case: &'static str,
    /// `grpc-status`.
    pub code: i32,
    /// `grpc-message`.
    pub message: &'static str,
    /// `grpc-status-details-bin`: a `google.rpc.Status`, in base64 without padding.
    pub details: &'static str,
    /// In the `ErrorInfo`.
    pub reason: &'static str,
    /// In the metadata of the `ErrorInfo`.
    pub action: &'static str,
    /// Seconds in the `RetryInfo`.
    pub retry_after: Option<u64>,
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
        code: 16,
        message: "session_missing: no session token: call wx.login",
        details: "CBASMHNlc3Npb25fbWlzc2luZzogbm8gc2Vzc2lvbiB0b2tlbjogY2FsbCB3eC5sb2dpbhpgCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjQKD1NFU1NJT05fTUlTU0lORxIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBWxvZ2lu",
        reason: "SESSION_MISSING",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "malformed",
        code: 16,
        message: "session_malformed: not a session token: call wx.login",
        details: "CBASNXNlc3Npb25fbWFsZm9ybWVkOiBub3QgYSBzZXNzaW9uIHRva2VuOiBjYWxsIHd4LmxvZ2luGmIKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SNgoRU0VTU0lPTl9NQUxGT1JNRUQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg",
        reason: "SESSION_MALFORMED",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "never seen",
        code: 16,
        message: "session_unknown: session not known: call wx.login",
        details: "CBASMXNlc3Npb25fdW5rbm93bjogc2Vzc2lvbiBub3Qga25vd246IGNhbGwgd3gubG9naW4aYAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5mbxI0Cg9TRVNTSU9OX1VOS05PV04SEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg",
        reason: "SESSION_UNKNOWN",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "idle",
        code: 16,
        message: "session_idle_expired: session idle for too long: call wx.login",
        details: "CBASPnNlc3Npb25faWRsZV9leHBpcmVkOiBzZXNzaW9uIGlkbGUgZm9yIHRvbyBsb25nOiBjYWxsIHd4LmxvZ2luGmUKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SOQoUU0VTU0lPTl9JRExFX0VYUElSRUQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg",
        reason: "SESSION_IDLE_EXPIRED",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "expired",
        code: 16,
        message: "session_expired: session expired: call wx.login",
        details: "CBASL3Nlc3Npb25fZXhwaXJlZDogc2Vzc2lvbiBleHBpcmVkOiBjYWxsIHd4LmxvZ2luGmAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SNAoPU0VTU0lPTl9FWFBJUkVEEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFbG9naW4",
        reason: "SESSION_EXPIRED",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "logged out",
        code: 16,
        message: "session_revoked: session logged out: call wx.login",
        details: "CBASMnNlc3Npb25fcmV2b2tlZDogc2Vzc2lvbiBsb2dnZWQgb3V0OiBjYWxsIHd4LmxvZ2luGmAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SNAoPU0VTU0lPTl9SRVZPS0VEEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFbG9naW4",
        reason: "SESSION_REVOKED",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "kicked out",
        code: 16,
        message: "session_kicked_out: session ended by the service: call wx.login",
        details: "CBASP3Nlc3Npb25fa2lja2VkX291dDogc2Vzc2lvbiBlbmRlZCBieSB0aGUgc2VydmljZTogY2FsbCB3eC5sb2dpbhpjCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjcKElNFU1NJT05fS0lDS0VEX09VVBIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBWxvZ2lu",
        reason: "SESSION_KICKED_OUT",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "replaced",
        code: 16,
        message: "session_replaced: session replaced by a newer login: call wx.login",
        details: "CBASQnNlc3Npb25fcmVwbGFjZWQ6IHNlc3Npb24gcmVwbGFjZWQgYnkgYSBuZXdlciBsb2dpbjogY2FsbCB3eC5sb2dpbhphCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjUKEFNFU1NJT05fUkVQTEFDRUQSEHRvd2VyLXd4LXNlc3Npb24aDwoGYWN0aW9uEgVsb2dpbg",
        reason: "SESSION_REPLACED",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "session_key over",
        code: 16,
        message: "session_key_expired: session_key expired: call wx.login",
        details: "CBASN3Nlc3Npb25fa2V5X2V4cGlyZWQ6IHNlc3Npb25fa2V5IGV4cGlyZWQ6IGNhbGwgd3gubG9naW4aZAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5mbxI4ChNTRVNTSU9OX0tFWV9FWFBJUkVEEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFbG9naW4",
        reason: "SESSION_KEY_EXPIRED",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "several",
        code: 3,
        message: "ambiguous_token: several different session tokens",
        details: "CAMSMWFtYmlndW91c190b2tlbjogc2V2ZXJhbCBkaWZmZXJlbnQgc2Vzc2lvbiB0b2tlbnMaXwoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5mbxIzCg9BTUJJR1VPVVNfVE9LRU4SEHRvd2VyLXd4LXNlc3Npb24aDgoGYWN0aW9uEgRub25l",
        reason: "AMBIGUOUS_TOKEN",
        action: "none",
        retry_after: None,
    },
    Golden {
        case: "store down",
        code: 14,
        message: "store_unavailable: session store unavailable: retry",
        details: "CA4SM3N0b3JlX3VuYXZhaWxhYmxlOiBzZXNzaW9uIHN0b3JlIHVuYXZhaWxhYmxlOiByZXRyeRpiCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjYKEVNUT1JFX1VOQVZBSUxBQkxFEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFcmV0cnkaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAQ",
        reason: "STORE_UNAVAILABLE",
        action: "retry",
        retry_after: Some(1),
    },
];

pub const LOGIN: &[Golden] = &[
    Golden {
        case: "code rejected",
        code: 16,
        message: "code_rejected: login code rejected: call wx.login",
        details: "CBASMWNvZGVfcmVqZWN0ZWQ6IGxvZ2luIGNvZGUgcmVqZWN0ZWQ6IGNhbGwgd3gubG9naW4aXgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5mbxIyCg1DT0RFX1JFSkVDVEVEEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFbG9naW4",
        reason: "CODE_REJECTED",
        action: "login",
        retry_after: None,
    },
    Golden {
        case: "provider unavailable",
        code: 14,
        message: "provider_unavailable: login provider unavailable: retry with a fresh code",
        details: "CA4SSXByb3ZpZGVyX3VuYXZhaWxhYmxlOiBsb2dpbiBwcm92aWRlciB1bmF2YWlsYWJsZTogcmV0cnkgd2l0aCBhIGZyZXNoIGNvZGUaZQoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5mbxI5ChRQUk9WSURFUl9VTkFWQUlMQUJMRRIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBXJldHJ5GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAM",
        reason: "PROVIDER_UNAVAILABLE",
        action: "retry",
        retry_after: Some(3),
    },
    Golden {
        case: "minute quota",
        code: 8,
        message: "rate_limited: too many logins: retry later with a fresh code",
        details: "CAgSPHJhdGVfbGltaXRlZDogdG9vIG1hbnkgbG9naW5zOiByZXRyeSBsYXRlciB3aXRoIGEgZnJlc2ggY29kZRpdCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjEKDFJBVEVfTElNSVRFRBIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBXJldHJ5GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCDw",
        reason: "RATE_LIMITED",
        action: "retry",
        retry_after: Some(60),
    },
    Golden {
        case: "daily quota",
        code: 8,
        message: "rate_limited: too many logins: retry later with a fresh code",
        details: "CAgSPHJhdGVfbGltaXRlZDogdG9vIG1hbnkgbG9naW5zOiByZXRyeSBsYXRlciB3aXRoIGEgZnJlc2ggY29kZRpdCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjEKDFJBVEVfTElNSVRFRBIQdG93ZXItd3gtc2Vzc2lvbhoPCgZhY3Rpb24SBXJldHJ5GjEKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBQoDCJAc",
        reason: "RATE_LIMITED",
        action: "retry",
        retry_after: Some(3600),
    },
    Golden {
        case: "user blocked",
        code: 7,
        message: "user_blocked: user may not log in",
        details: "CAcSIXVzZXJfYmxvY2tlZDogdXNlciBtYXkgbm90IGxvZyBpbhpcCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjAKDFVTRVJfQkxPQ0tFRBIQdG93ZXItd3gtc2Vzc2lvbhoOCgZhY3Rpb24SBG5vbmU",
        reason: "USER_BLOCKED",
        action: "none",
        retry_after: None,
    },
    Golden {
        case: "misconfigured",
        code: 13,
        message: "provider_misconfigured: login is misconfigured on the server",
        details: "CA0SPHByb3ZpZGVyX21pc2NvbmZpZ3VyZWQ6IGxvZ2luIGlzIG1pc2NvbmZpZ3VyZWQgb24gdGhlIHNlcnZlchpmCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjoKFlBST1ZJREVSX01JU0NPTkZJR1VSRUQSEHRvd2VyLXd4LXNlc3Npb24aDgoGYWN0aW9uEgRub25l",
        reason: "PROVIDER_MISCONFIGURED",
        action: "none",
        retry_after: None,
    },
    Golden {
        case: "store down",
        code: 14,
        message: "store_unavailable: session store unavailable: retry",
        details: "CA4SM3N0b3JlX3VuYXZhaWxhYmxlOiBzZXNzaW9uIHN0b3JlIHVuYXZhaWxhYmxlOiByZXRyeRpiCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjYKEVNUT1JFX1VOQVZBSUxBQkxFEhB0b3dlci13eC1zZXNzaW9uGg8KBmFjdGlvbhIFcmV0cnkaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAQ",
        reason: "STORE_UNAVAILABLE",
        action: "retry",
        retry_after: Some(1),
    },
    Golden {
        case: "bad request",
        code: 3,
        message: "bad_request: no usable login code or appid in the request",
        details: "CAMSOWJhZF9yZXF1ZXN0OiBubyB1c2FibGUgbG9naW4gY29kZSBvciBhcHBpZCBpbiB0aGUgcmVxdWVzdBpbCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEi8KC0JBRF9SRVFVRVNUEhB0b3dlci13eC1zZXNzaW9uGg4KBmFjdGlvbhIEbm9uZQ",
        reason: "BAD_REQUEST",
        action: "none",
        retry_after: None,
    },
];
