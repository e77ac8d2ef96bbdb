use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::failure::Failure;

/// The members of a JSON object from a platform.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body, whatever its content type says.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let fields = serde_json::from_slice(body);
        fields
            .map(Self)
            .map_err(|_| Failure::unreadable("no JSON object"))
    }

    /// A text that is not empty: platforms send empty ones for what they do not have.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A text that has to be there.
    pub(crate) fn require(&self, name: &str) -> Result<&str, Failure> {
        self.text(name).ok_or_else(|| missing(name))
    }

    /// An error code: 0 where absent. Platforms also send it as a text.
    pub(crate) fn code(&self, name: &str) -> Result<i64, Failure> {
        self.optional_code(name).map(Option::unwrap_or_default)
    }

    /// An error code, if there is one.
    pub(crate) fn optional_code(&self, name: &str) -> Result<Option<i64>, Failure> {
        let code = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        code.map(Some)
            .ok_or(Failure::unreadable("an error code that is no number"))
    }

    /// For how long something is good, in seconds.
    pub(crate) fn seconds(&self, name: &str) -> Result<Duration, Failure> {
        let seconds = self.0.get(name).and_then(Value::as_u64);
        seconds
            .map(Duration::from_secs)
            .ok_or(Failure::unreadable("no time to live"))
    }

    /// A member of a shape of its own.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        let member = self.0.get(name).cloned().unwrap_or_default();
        serde_json::from_value(member).map_err(|_| missing(name))
    }

    /// An object inside; empty where there is none.
    pub(crate) fn object(&self, name: &str) -> Self {
        let object = self.0.get(name).and_then(Value::as_object);
        Self(object.cloned().unwrap_or_default())
    }

    /// The session_keys and tokens in it, or in an object inside: a message may repeat one.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let inside = self.0.values().filter_map(Value::as_object).flatten();
        let members = self.0.iter().chain(inside);
        let secrets = members.filter(|(name, _)| is_secret(name));
        secrets.filter_map(|(_, value)| value.as_str()).collect()
    }
}

fn missing(name: &str) -> Failure {
    Failure::unreadable(format!("no {name}"))
}

fn is_secret(name: &str) -> bool {
    name.ends_with("session_key") || name.ends_with("_token")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Fields {
        Fields::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn empty_null_and_other_types_are_no_text() {
        let fields = fields(r#"{"a":"x","b":"","c":null,"d":7}"#);
        let texts = ["a", "b", "c", "d", "e"].map(|name| fields.text(name));
        assert_eq!(texts, [Some("x"), None, None, None, None]);
    }

    #[test]
    fn a_code_may_be_absent_null_a_number_or_text() {
        for (code, value) in [
            ("null", None),
            ("0", Some(0)),
            ("\" 0 \"", Some(0)),
            ("40029", Some(40029)),
            ("\"-1\"", Some(-1)),
        ] {
            let fields = fields(&format!(r#"{{"errcode":{code}}}"#));
            assert_eq!(fields.optional_code("errcode").unwrap(), value, "{code}");
        }
        assert_eq!(fields("{}").code("errcode").unwrap(), 0);
        for code in ["\"\"", "true", "1e30", "[]"] {
            let fields = fields(&format!(r#"{{"errcode":{code}}}"#));
            assert!(fields.code("errcode").is_err(), "{code}");
        }
    }

    #[test]
    fn keys_and_tokens_are_secret_at_the_top_and_inside() {
        let fields = fields(
            r#"{"session_key":"a","access_token":"b","openid":"c","errmsg":"d",
                "data":{"session_key":"e","refresh_token":"f","open_id":"g","tokens":7}}"#,
        );
        let mut secrets = fields.secrets();
        secrets.sort_unstable();
        assert_eq!(secrets, ["a", "b", "e", "f"]);
    }

    #[test]
    fn what_is_no_object_is_unreadable() {
        let bodies: &[&[u8]] = &[
            b"",
            b"<html>502</html>",
            b"null",
            b"[]",
            b"\"o1\"",
            b"{\"a\":\"o1\"",
            b"{\"a\":\"o1\"}{}",
            b"{\"a\":\"o\xff\"}",
            &[b'['; 70_000],
        ];
        for body in bodies {
            assert!(Fields::parse(body).is_err());
        }
    }
}
