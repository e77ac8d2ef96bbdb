use serde_json::{Map, Value};

use super::failure::Failure;
use super::mask::mask;
use crate::session_key::SessionKey;

/// What WeChat says of a good code.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) openid: String,
    pub(super) unionid: Option<String>,
    pub(super) session_key: Option<SessionKey>,
}

/// Reads an answer of code2Session; pure, and total over any bytes.
pub(super) fn parse(body: &[u8]) -> Result<Answer, Failure> {
    let fields: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Failure::unreadable("no JSON object"))?;
    match errcode(&fields)? {
        0 => success(&fields),
        errcode => Err(Failure::Refused {
            errcode,
            errmsg: errmsg(&fields),
        }),
    }
}

fn success(fields: &Map<String, Value>) -> Result<Answer, Failure> {
    let openid = text(fields, "openid").ok_or(Failure::unreadable("no openid"))?;
    Ok(Answer {
        openid: openid.to_owned(),
        unionid: text(fields, "unionid").map(str::to_owned),
        session_key: text(fields, "session_key").map(SessionKey::new),
    })
}

/// 0 where absent; WeChat also sent it as a string.
fn errcode(fields: &Map<String, Value>) -> Result<i64, Failure> {
    match fields.get("errcode") {
        None | Some(Value::Null) => Some(0),
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    }
    .ok_or(Failure::unreadable("no errcode that is a number"))
}

fn errmsg(fields: &Map<String, Value>) -> String {
    let errmsg = text(fields, "errmsg").unwrap_or("no errmsg");
    mask(errmsg, &[text(fields, "session_key").unwrap_or_default()])
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str) -> (String, Option<String>, Option<String>) {
        let answer = parse(body.as_bytes()).unwrap();
        let key = answer.session_key.map(|key| key.expose().to_owned());
        (answer.openid, answer.unionid, key)
    }

    fn refused(body: &str) -> (i64, String) {
        match parse(body.as_bytes()) {
            Err(Failure::Refused { errcode, errmsg }) => (errcode, errmsg),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn an_answer_without_errcode_is_a_success() {
        let body = r#"{"session_key":"a2V5","openid":"o1","unionid":"u1","expires_in":7200}"#;
        let all = ("o1".into(), Some("u1".into()), Some("a2V5".into()));
        assert_eq!(parts(body), all);
    }

    #[test]
    fn errcode_may_be_zero_null_or_text() {
        for errcode in ["0", "null", "\"0\"", "\" 0 \""] {
            let body = format!(r#"{{"errcode":{errcode},"errmsg":"ok","openid":"o1"}}"#);
            assert_eq!(parts(&body).0, "o1", "{errcode}");
        }
        for (errcode, value) in [("40029", 40029), ("\"40029\"", 40029), ("\"-1\"", -1)] {
            let body = format!(r#"{{"errcode":{errcode},"errmsg":"invalid"}}"#);
            assert_eq!(refused(&body), (value, "invalid".into()));
        }
    }

    #[test]
    fn empty_means_absent() {
        let body = r#"{"session_key":"","openid":"o1","unionid":""}"#;
        assert_eq!(parts(body), ("o1".into(), None, None));
        let body = r#"{"session_key":null,"openid":"o1","unionid":7}"#;
        assert_eq!(parts(body), ("o1".into(), None, None));
    }

    #[test]
    fn a_refusal_with_the_fields_of_a_success_is_a_refusal() {
        let body = r#"{"errcode":-1009,"errmsg":"","openid":"o1","session_key":"a"}"#;
        assert_eq!(refused(body), (-1009, "no errmsg".into()));
    }

    #[test]
    fn a_session_key_that_errmsg_echoes_is_masked() {
        let body = r#"{"errcode":1,"errmsg":"key tiihtNczf5v6AKRyjwEUhQ==","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}"#;
        assert_eq!(refused(body).1, format!("key {}", "*".repeat(24)));
    }

    #[test]
    fn whatever_else_comes_is_unreadable() {
        let bodies: &[&[u8]] = &[
            b"",
            b"<html>502</html>",
            b"null",
            b"[]",
            b"\"o1\"",
            b"{}",
            b"{\"openid\":\"\"}",
            b"{\"openid\":7}",
            b"{\"openid\":\"o1\"",
            b"{\"openid\":\"o1\"}{}",
            b"{\"openid\":\"o\xff\"}",
            b"{\"errcode\":0,\"errmsg\":\"ok\"}",
            b"{\"errcode\":\"\",\"openid\":\"o1\"}",
            b"{\"errcode\":true,\"openid\":\"o1\"}",
            b"{\"errcode\":1e30,\"openid\":\"o1\"}",
            &[b'['; 70_000],
        ];
        for body in bodies {
            let error = parse(body).unwrap_err();
            assert!(matches!(error, Failure::Unreadable { .. }), "{error:?}");
        }
    }
}
