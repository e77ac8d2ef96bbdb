use std::time::Duration;

use super::api::{App, Call, Failure, Fields, User};
use super::provider::provider;
use super::site::Site;
use crate::login::CodePolicy;
use crate::login::ExchangeErrorKind::{self, *};

/// `swan.login`: "valid for ten minutes".
const CODES: CodePolicy = CodePolicy::one_time().with_lifetime(Duration::from_secs(10 * 60));

provider! {
    /// Baidu, as the provider of identities for its smart programs (智能小程序).
    ///
    /// An app is known by its App Key, with the App Secret. The client calls `swan.getLoginCode` (formerly
    /// `swan.login`) and sends the `code`. It is exchanged by `POST /oauth/jscode2sessionkey`, and lives for 10
    /// minutes. The user has an openid and a session_key, which every login renews; a unionid takes another API
    /// of Baidu's, which is not called. Source: the page
    /// [Session Key](https://smartprogram.baidu.com/docs/develop/api/open/log_Session-Key/).
    ///
    /// Errors come as a word in `error`, or as a number in `errno`, of which Baidu documents one: what another
    /// number means to you, [`with_error_kind`](Self::with_error_kind) says.
    Baidu at "https://spapi.baidu.com", by exchange, codes CODES
}

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    let call = Call::post("/oauth/jscode2sessionkey").form(&[
        ("code", code),
        ("client_id", &app.appid),
        ("sk", &app.secret),
    ]);
    site.api.send(&call).await?.read_fields(parse)
}

fn parse(fields: &Fields) -> Result<User, Failure> {
    succeeded(fields)?;
    Ok(User::new(fields.require("openid")?).with_session_key(fields.text("session_key")))
}

/// Where there are a number and a word, a word that is known decides.
fn succeeded(fields: &Fields) -> Result<(), Failure> {
    let text = fields.text("error_description");
    let refused = |kind, name, code: String| {
        Err(Failure::coded(kind, name, code, text).masked(&fields.secrets()))
    };
    match (fields.code("errno")?, fields.text("error")) {
        (0, None) => Ok(()),
        (errno, Some(word)) if errno == 0 || is_known(word) => {
            refused(classify(word), "error", word.to_owned())
        }
        (errno, _) => refused(Misconfigured, "errno", errno.to_string()),
    }
}

/// The words of OAuth 2.0 that Baidu's page points to.
fn is_known(word: &str) -> bool {
    matches!(
        word,
        "invalid_client"
            | "invalid_grant"
            | "invalid_request"
            | "unauthorized_client"
            | "unsupported_grant_type"
    )
}

fn classify(word: &str) -> ExchangeErrorKind {
    match word {
        "invalid_grant" => CodeRejected,
        _ => Misconfigured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (ExchangeErrorKind, String) {
        let failure = parse(&Fields::parse(body.as_bytes()).unwrap()).unwrap_err();
        (failure.kind(), failure.to_string())
    }

    #[test]
    fn a_known_word_decides_and_else_the_number() {
        for (body, kind, text) in [
            (
                r#"{"errno":1,"error":"invalid_grant","error_description":"d"}"#,
                CodeRejected,
                "error invalid_grant: d",
            ),
            (
                r#"{"errno":10010100,"error":"parameter is invalid"}"#,
                Misconfigured,
                "errno 10010100: no message",
            ),
            (
                r#"{"error":"odd","openid":"o1"}"#,
                Misconfigured,
                "error odd: no message",
            ),
            (r#"{"errno":7}"#, Misconfigured, "errno 7: no message"),
        ] {
            assert_eq!(refused(body), (kind, text.to_owned()));
        }
    }

    #[test]
    fn a_session_key_that_the_description_repeats_is_masked() {
        let (_, text) = refused(
            r#"{"errno":7,"error_description":"tiihtNczf5v6AKRyjwEUhQ==","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}"#,
        );
        assert_eq!(text, format!("errno 7: {}", "*".repeat(24)));
    }

    #[test]
    fn an_answer_with_neither_needs_an_openid() {
        let (kind, _) = refused(r#"{"errno":0,"error":"","session_key":"k"}"#);
        assert_eq!(kind, Unavailable);
    }
}
