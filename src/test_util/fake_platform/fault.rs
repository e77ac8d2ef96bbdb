/// What can go wrong at a platform, or on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The platform is busy.
    Busy,
    /// The user may not log in.
    Blocked,
    /// Too many requests in a minute.
    Limited,
    /// Too many requests in a day.
    Quota,
    /// This error code, such as 40029 of WeChat.
    Errcode(i64),
    /// This error code of a platform whose codes are words, such as `isv.code-invalid` of Alipay.
    Word(&'static str),
    /// The error code of a bad code, as a string.
    StringErrcode,
    /// A success whose user has an empty name.
    EmptyOpenid,
    /// HTML with status 200.
    Broken,
    /// HTML with status 502.
    Error5xx,
    /// A body shorter than its `Content-Length`.
    Cut,
    /// No answer: the connection is closed.
    Reset,
    /// The usual answer, but only after 10 s.
    Slow,
    /// Half of the body, and nothing more for 10 s.
    SlowBody,
}

/// The names that stand for faults; the other one is `errcode-N`.
const NAMES: &[(&str, Fault)] = &[
    ("busy", Fault::Busy),
    ("blocked", Fault::Blocked),
    ("limited", Fault::Limited),
    ("quota", Fault::Quota),
    ("string-errcode", Fault::StringErrcode),
    ("empty-openid", Fault::EmptyOpenid),
    ("broken", Fault::Broken),
    ("error5xx", Fault::Error5xx),
    ("cut", Fault::Cut),
    ("reset", Fault::Reset),
    ("slow", Fault::Slow),
    ("slowbody", Fault::SlowBody),
];

impl Fault {
    /// The fault that a code names.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        let (name, _) = code.split_once(':')?;
        if let Some(errcode) = name.strip_prefix("errcode-") {
            return errcode.parse().ok().map(Self::Errcode);
        }
        let row = NAMES.iter().find(|(known, _)| *known == name);
        row.map(|(_, fault)| *fault)
    }
}
