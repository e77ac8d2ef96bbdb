use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::fault::Fault;
use crate::hex;

/// What became of an exchange.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What goes wrong with the answer, if anything does.
    pub(super) fault: Option<Fault>,
    pub(super) user: Result<User, Refused>,
    /// Which exchange it is, from 1 on.
    pub(super) number: u64,
}

impl Outcome {
    /// The answer to a request that is no exchange.
    pub(super) const fn refused(why: Refused) -> Self {
        Self {
            fault: None,
            user: Err(why),
            number: 0,
        }
    }
}

/// Who logged in.
#[derive(Debug)]
pub(super) struct User {
    pub(super) openid: String,
    pub(super) unionid: Option<String>,
    pub(super) session_key: String,
}

/// Why there is nobody: each platform has its own code for it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    NoAppid,
    NoSecret,
    NoCode,
    /// Something else that the platform wants in a request is missing or wrong.
    BadRequest,
    UnknownApp,
    WrongSecret,
    /// Never a code, or too old.
    BadCode,
    UsedCode,
    Busy,
    Blocked,
    Limited,
    Quota,
    /// This code of the platform.
    Errcode(i64),
    /// This code of a platform whose codes are words.
    Word(&'static str),
    /// The code of a bad code, as a text.
    StringErrcode,
}

impl User {
    pub(super) fn new(appid: &str, name: &str, code: &str, unionid: bool) -> Self {
        Self {
            openid: user_id(&["openid", appid, name]),
            unionid: unionid.then(|| user_id(&["unionid", name])),
            session_key: Self::key_of(&digest(&["session_key", code])),
        }
    }

    /// A key of 16 bytes, in base64.
    pub(super) fn key_of(digest: &[u8; 32]) -> String {
        BASE64_STANDARD.encode(&digest[..16])
    }

    /// The members of a JSON object that tell of the user, without those that there are not.
    pub(super) fn members(&self, openid: &str, unionid: &str) -> String {
        let unionid = match &self.unionid {
            Some(id) => format!(",\"{unionid}\":\"{id}\""),
            None => String::new(),
        };
        let (key, id) = (&self.session_key, &self.openid);
        format!("\"session_key\":\"{key}\",\"{openid}\":\"{id}\"{unionid}")
    }

    pub(super) fn nobody() -> Self {
        Self {
            openid: String::new(),
            unionid: None,
            session_key: String::new(),
        }
    }
}

impl Refused {
    /// The platform's code for it as it stands in the answer: a number, or a text where that is the
    /// fault.
    pub(super) fn written(self, code: i64) -> String {
        match self {
            Self::StringErrcode => format!("\"{code}\""),
            _ => code.to_string(),
        }
    }
}

impl Fault {
    /// What the platform says, in place of what it would say.
    pub(super) fn instead_of(self, usual: Result<User, Refused>) -> Result<User, Refused> {
        match self {
            Self::Busy => Err(Refused::Busy),
            Self::Blocked => Err(Refused::Blocked),
            Self::Limited => Err(Refused::Limited),
            Self::Quota => Err(Refused::Quota),
            Self::Errcode(errcode) => Err(Refused::Errcode(errcode)),
            Self::Word(word) => Err(Refused::Word(word)),
            Self::StringErrcode => Err(Refused::StringErrcode),
            Self::EmptyOpenid => Ok(User::nobody()),
            _ => usual,
        }
    }
}

/// 28 characters that begin with `o`, like WeChat's.
pub(super) fn user_id(parts: &[&str]) -> String {
    format!("o{}", BASE64_URL_SAFE_NO_PAD.encode(&digest(parts)[..20]))
}

/// The same 64 hexadecimal digits for the same parts.
pub(super) fn digest_hex(parts: &[&str]) -> String {
    hex::encode(&digest(parts))
}

/// The same bytes for the same parts.
pub(super) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}
