//! `code2Session`, as WeChat has it, and QQ.

use super::api::{App, Call, Failure, Fields, User};
use super::errcode::refusal;

pub(crate) fn call(app: &App, code: &str) -> Call {
    Call::get("/sns/jscode2session").query(&[
        ("appid", &app.appid),
        ("secret", &app.secret),
        ("js_code", code),
        ("grant_type", "authorization_code"),
    ])
}

/// Reads what a good code stands for; pure, and total over any fields.
pub(crate) fn parse(fields: &Fields) -> Result<User, Failure> {
    succeeded(fields)?;
    User::read(fields, "openid", "unionid")
}

/// Fails where the answer has an `errcode`, with or without the fields of a success.
pub(crate) fn succeeded(fields: &Fields) -> Result<(), Failure> {
    match fields.code("errcode")? {
        0 => Ok(()),
        errcode => Err(refusal(errcode, fields.text("errmsg")).masked(&fields.secrets())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<User, Failure> {
        parse(&Fields::parse(body.as_bytes())?)
    }

    fn parts(body: &str) -> (String, Option<String>, Option<String>) {
        let exchanged = read(body).unwrap().of_app("wx1".into());
        let user = exchanged.identity();
        let key = exchanged.session_key().map(|key| key.expose().to_owned());
        (
            user.openid().to_owned(),
            user.unionid().map(str::to_owned),
            key,
        )
    }

    fn refused(body: &str) -> String {
        match read(body) {
            Err(failure @ Failure::Refused { .. }) => failure.to_string(),
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
            assert_eq!(refused(&body), format!("errcode {value}: invalid"));
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
        let body = r#"{"errcode":-1009,"errmsg":"","openid":"o1","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}"#;
        assert_eq!(refused(body), "errcode -1009: no message");
    }

    #[test]
    fn a_session_key_that_errmsg_echoes_is_masked() {
        let body = r#"{"errcode":1,"errmsg":"key tiihtNczf5v6AKRyjwEUhQ==","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}"#;
        assert_eq!(refused(body), format!("errcode 1: key {}", "*".repeat(24)));
    }

    #[test]
    fn whatever_else_comes_is_unreadable() {
        let bodies: &[&[u8]] = &[
            b"{}",
            b"{\"openid\":\"\"}",
            b"{\"openid\":7}",
            b"{\"errcode\":0,\"errmsg\":\"ok\"}",
            b"{\"errcode\":\"\",\"openid\":\"o1\"}",
            b"{\"errcode\":true,\"openid\":\"o1\"}",
            b"{\"errcode\":1e30,\"openid\":\"o1\"}",
        ];
        for body in bodies {
            let error = parse(&Fields::parse(body).unwrap()).unwrap_err();
            assert!(matches!(error, Failure::Unreadable { .. }), "{error:?}");
        }
    }
}
