use serde::Deserialize;
use serde_json::value::RawValue;

use super::error_code::classify;
use super::public_key::PublicKey;
use super::user_id::AlipayUserId;
use crate::login::ExchangeErrorKind::{self, Misconfigured, Unavailable};
use crate::platform::api::{Failure, User};

/// The whole answer. A member that comes twice is refused, so that what is read is what was signed.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, rename = "alipay_system_oauth_token_response")]
    success: Option<&'a RawValue>,
    #[serde(borrow, rename = "error_response")]
    error: Option<&'a RawValue>,
    sign: Option<String>,
}

/// What the signed text holds. Alipay leaves out `code` where a login succeeded.
#[derive(Deserialize)]
struct Node {
    code: Option<String>,
    msg: Option<String>,
    sub_code: Option<String>,
    sub_msg: Option<String>,
    user_id: Option<String>,
    open_id: Option<String>,
    union_id: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// Reads an answer, which has to be signed by Alipay; total over any bytes.
pub(super) fn parse(
    body: &[u8],
    alipay: &PublicKey,
    id: Option<AlipayUserId>,
) -> Result<User, Failure> {
    let answer: Answer<'_> = serde_json::from_slice(body)
        .map_err(|_| Failure::unreadable("not the JSON object of an answer"))?;
    let text = answer.text()?;
    let is_signed = answer.is_signed(text, alipay)?;
    let node = Node::parse(text)?;
    match (answer.error.is_none() && node.succeeded(), is_signed) {
        (true, true) => node.user(id),
        (true, false) => Err(Failure::unreadable("no sign")),
        (false, true) => Err(node.refusal()),
        (false, false) => Err(node.unsigned_refusal()),
    }
}

impl Answer<'_> {
    /// The text that is signed: all of the node, as it was sent.
    fn text(&self) -> Result<&str, Failure> {
        match (self.success, self.error) {
            (Some(node), None) | (None, Some(node)) => Ok(node.get()),
            _ => Err(Failure::unreadable("not one node of an answer")),
        }
    }

    /// Whether there is a signature. A wrong one is an error: the key is not the one that Alipay
    /// signs with.
    fn is_signed(&self, text: &str, alipay: &PublicKey) -> Result<bool, Failure> {
        match self.sign.as_deref() {
            None | Some("") => Ok(false),
            Some(sign) if alipay.verifies(text, sign) => Ok(true),
            Some(_) => Err(Failure::refused(
                Misconfigured,
                "wrong sign",
                Some("not made with the key that is configured as Alipay's"),
            )),
        }
    }
}

impl Node {
    fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|_| Failure::unreadable("not the node of an answer"))
    }

    fn succeeded(&self) -> bool {
        matches!(self.code.as_deref(), None | Some("" | "10000"))
    }

    fn user(&self, id: Option<AlipayUserId>) -> Result<User, Failure> {
        Ok(User::new(self.openid(id)?).with_unionid(filled(&self.union_id)))
    }

    fn openid(&self, id: Option<AlipayUserId>) -> Result<&str, Failure> {
        let (user_id, open_id) = (filled(&self.user_id), filled(&self.open_id));
        let either = user_id.or(open_id);
        let either = either.ok_or(Failure::unreadable("no user_id and no open_id"))?;
        match id {
            None => Ok(either),
            Some(AlipayUserId::OpenId) => open_id.ok_or_else(|| without("open_id")),
            Some(AlipayUserId::UserId) => user_id.ok_or_else(|| without("user_id")),
        }
    }

    fn refusal(&self) -> Failure {
        let kind = self.kind();
        self.failure(kind, self.error())
    }

    /// Anybody could have written it, so it ends no code. What it says of our configuration is not
    /// lost: Alipay signs nothing for an app that it does not know.
    fn unsigned_refusal(&self) -> Failure {
        let kind = match self.kind() {
            Misconfigured => Misconfigured,
            _ => Unavailable,
        };
        self.failure(kind, format!("unsigned {}", self.error()))
    }

    fn kind(&self) -> ExchangeErrorKind {
        let (code, sub_code) = (self.code.as_deref(), self.sub_code.as_deref());
        classify(code.unwrap_or_default(), sub_code.unwrap_or_default())
    }

    fn error(&self) -> String {
        let code = filled(&self.code).unwrap_or("without a code");
        match filled(&self.sub_code) {
            Some(sub_code) => format!("error {code} {sub_code}"),
            None => format!("error {code}"),
        }
    }

    fn failure(&self, kind: ExchangeErrorKind, error: String) -> Failure {
        let message = filled(&self.sub_msg).or(filled(&self.msg));
        let tokens = [&self.access_token, &self.refresh_token];
        let tokens = tokens.map(|token| token.as_deref().unwrap_or_default());
        Failure::refused(kind, error, message).masked(&tokens)
    }
}

fn without(id: &'static str) -> Failure {
    let message = "Alipay names the users of this app otherwise";
    Failure::refused(Misconfigured, format!("no {id}"), Some(message))
}

/// Empty means absent.
fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
