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
        let (name, code) = self.error();
        let failure = Failure::coded(self.kind(), &name, code, self.message());
        self.without_tokens(failure)
    }

    /// Anybody could have written it, so it ends no code. What it says of our configuration is not
    /// lost: Alipay signs nothing for an app that it does not know.
    fn unsigned_refusal(&self) -> Failure {
        let kind = match self.kind() {
            Misconfigured => Misconfigured,
            _ => Unavailable,
        };
        let (name, code) = self.error();
        let word = format!("{name} {code}, unsigned");
        self.without_tokens(Failure::refused(kind, word, self.message()))
    }

    fn kind(&self) -> ExchangeErrorKind {
        let (code, sub_code) = (self.code.as_deref(), self.sub_code.as_deref());
        classify(code.unwrap_or_default(), sub_code.unwrap_or_default())
    }

    /// The error code, and what stands before it in the log.
    fn error(&self) -> (String, &str) {
        let code = filled(&self.code).unwrap_or("without a code");
        match filled(&self.sub_code) {
            Some(sub_code) => (format!("error {code}"), sub_code),
            None => ("error".to_owned(), code),
        }
    }

    fn message(&self) -> Option<&str> {
        filled(&self.sub_msg).or(filled(&self.msg))
    }

    fn without_tokens(&self, failure: Failure) -> Failure {
        let tokens = [&self.access_token, &self.refresh_token];
        failure.masked(&tokens.map(|token| token.as_deref().unwrap_or_default()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::ExchangeErrorKind::CodeRejected;
    use crate::platform::alipay::fixtures::{ALIPAY, vectors};
    use crate::platform::alipay::private_key::PrivateKey;

    const SUCCESS: &str = "alipay_system_oauth_token_response";

    /// An answer with this node, signed by Alipay.
    fn signed(name: &str, node: &str) -> String {
        let sign = PrivateKey::parse(&ALIPAY.pkcs8).unwrap().sign(node);
        format!(r#"{{"{name}":{node},"sign":"{sign}"}}"#)
    }

    fn read(body: &str, id: Option<AlipayUserId>) -> Result<(String, Option<String>), Failure> {
        let key = PublicKey::parse(&ALIPAY.spki).unwrap();
        let identity = parse(body.as_bytes(), &key, id)?.of_app("app".into());
        let identity = identity.identity();
        let unionid = identity.unionid().map(str::to_owned);
        Ok((identity.openid().to_owned(), unionid))
    }

    fn refused(body: &str) -> (ExchangeErrorKind, String) {
        let failure = read(body, None).unwrap_err();
        (failure.kind(), failure.to_string())
    }

    #[test]
    fn answers_are_verified_as_published_sdks_do() {
        let vectors = vectors();
        let key = PublicKey::parse(vectors["alipay_public_key_pem"].as_str().unwrap()).unwrap();
        for vector in vectors["answers"].as_array().unwrap() {
            let text = vector["text"].as_str().unwrap();
            let result = parse(text.as_bytes(), &key, None);
            let kind = result.as_ref().map_err(Failure::kind).err();
            let expected = match vector["expect"].as_str().unwrap() {
                "valid" => None,
                "valid error" => Some(CodeRejected),
                "error, cannot be verified" => Some(Unavailable),
                "invalid" if vector["sign"].is_null() => Some(Unavailable),
                "invalid" => Some(Misconfigured),
                other => panic!("{other}"),
            };
            assert_eq!(kind, expected, "{}: {result:?}", vector["name"]);
        }
    }

    #[test]
    fn users_are_named_by_the_id_that_was_chosen() {
        let (open, user) = (Some(AlipayUserId::OpenId), Some(AlipayUserId::UserId));
        let both = signed(
            SUCCESS,
            r#"{"user_id":"2088","open_id":"o1","union_id":"u1"}"#,
        );
        for (id, openid) in [(None, "2088"), (user, "2088"), (open, "o1")] {
            let (seen, unionid) = read(&both, id).unwrap();
            assert_eq!((&*seen, unionid.as_deref()), (openid, Some("u1")));
        }

        let only_open = signed(SUCCESS, r#"{"user_id":"","open_id":"o1"}"#);
        assert_eq!(read(&only_open, None).unwrap(), ("o1".into(), None));
        assert_eq!(read(&only_open, open).unwrap().0, "o1");
        let failure = read(&only_open, user).unwrap_err();
        assert_eq!(failure.kind(), Misconfigured);
        assert!(failure.to_string().starts_with("no user_id: "), "{failure}");

        let only_user = signed(
            SUCCESS,
            r#"{"code":"10000","msg":"Success","user_id":"2088"}"#,
        );
        assert_eq!(read(&only_user, None).unwrap().0, "2088");
        assert_eq!(read(&only_user, open).unwrap_err().kind(), Misconfigured);
    }

    #[test]
    fn an_error_is_an_error_in_either_node() {
        let node = r#"{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.code-invalid","sub_msg":"授权码code无效","user_id":"2088"}"#;
        let text = "error 40002 isv.code-invalid: 授权码code无效".to_owned();
        for name in [SUCCESS, "error_response"] {
            assert_eq!(refused(&signed(name, node)), (CodeRejected, text.clone()));
        }
        let busy = r#"{"code":"20000","msg":"Service Currently Unavailable"}"#;
        let text = "error 20000: Service Currently Unavailable".to_owned();
        assert_eq!(
            refused(&signed("error_response", busy)),
            (Unavailable, text)
        );
        let user = refused(&signed("error_response", r#"{"user_id":"2088"}"#));
        assert_eq!(
            user,
            (Misconfigured, "error without a code: no message".into())
        );
    }

    #[test]
    fn an_error_without_a_signature_ends_no_code() {
        for (error, kind) in [
            ("isv.code-invalid", Unavailable),
            ("isv.app-call-limited", Unavailable),
            ("isp.unknow-error", Unavailable),
            ("isv.invalid-app-id", Misconfigured),
        ] {
            let node = format!(r#"{{"code":"40002","msg":"no","sub_code":"{error}"}}"#);
            for rest in ["", r#","sign":"""#, r#","sign":null"#] {
                let body = format!(r#"{{"error_response":{node}{rest}}}"#);
                assert_eq!(
                    refused(&body),
                    (kind, format!("error 40002 {error}, unsigned: no"))
                );
            }
        }
    }

    #[test]
    fn a_signature_is_good_for_its_text_alone() {
        let good = signed(SUCCESS, r#"{"user_id":"2088"}"#);
        for body in [
            good.replace("2088", "2089"),
            good.replace(":{", ":{ "),
            good.replace("sign\":\"", "sign\":\"AAAA"),
            good.replace("sign\":\"", "sign\":\"-"),
        ] {
            let (kind, text) = refused(&body);
            assert_eq!(kind, Misconfigured, "{body}");
            assert!(text.starts_with("wrong sign: "), "{text}");
        }
    }

    #[test]
    fn tokens_that_a_message_echoes_are_masked() {
        let node = r#"{"code":"40004","msg":"no authusrB0a1b2c3d4e5f","access_token":"authusrB0a1b2c3d4e5f"}"#;
        let (_, text) = refused(&signed(SUCCESS, node));
        assert_eq!(text, format!("error 40004: no {}", "*".repeat(20)));
    }

    #[test]
    fn whatever_else_comes_is_unreadable() {
        let good = signed(SUCCESS, r#"{"user_id":"2088"}"#);
        let twice = good.replacen(
            '{',
            r#"{"alipay_system_oauth_token_response":{"user_id":"1"},"#,
            1,
        );
        let both = good.replacen('{', r#"{"error_response":{"code":"40002"},"#, 1);
        let two_signs = good.replacen('{', r#"{"sign":"AAAA","#, 1);
        let escaped = good.replacen('{', r#"{"si\u0067n":"AAAA","#, 1);
        let two_users = signed(SUCCESS, r#"{"user_id":"2088","user_id":"2089"}"#);
        let nobody = signed(SUCCESS, r#"{"user_id":"","open_id":""}"#);
        let number = signed(SUCCESS, r#"{"user_id":2088}"#);
        let text = signed(SUCCESS, r#""2088""#);
        let null = signed(SUCCESS, "null");
        for body in [
            &*twice,
            &*both,
            &*two_signs,
            &*escaped,
            &*two_users,
            &*nobody,
            &*number,
            &*text,
            &*null,
            &good[..good.len() - 1],
            &good.replace("\"sign\":\"", "\"sign\":7,\"x\":\""),
            &good.replace(SUCCESS, "alipay_user_info_share_response"),
            "",
            "{}",
            "[]",
            "null",
            "<html>502</html>",
            "{\"sign\":\"AAAA\"}",
        ] {
            let (kind, text) = refused(body);
            assert_eq!(kind, Unavailable, "{body}");
            assert!(text.starts_with("unreadable answer"), "{text}");
        }
    }
}
