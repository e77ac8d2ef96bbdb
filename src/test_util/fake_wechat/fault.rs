/// What can go wrong at WeChat, or on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// This errcode, such as -1 (busy) or 45011 (rate limited).
    Errcode(i64),
    /// The errcode 40029 as a string.
    StringErrcode,
    /// A success whose `openid` is empty.
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
    ("busy", Fault::Errcode(-1)),
    ("blocked", Fault::Errcode(40226)),
    ("limited", Fault::Errcode(45011)),
    ("quota", Fault::Errcode(45009)),
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
