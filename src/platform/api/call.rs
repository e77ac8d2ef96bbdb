use std::fmt;

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use super::base_url::BaseUrl;

/// One request to a platform, before it has a host.
///
/// Its `Debug` shows no value: codes, secrets and keys are among them.
#[derive(Clone)]
pub(crate) struct Call {
    pub(super) method: Method,
    path: &'static str,
    query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(crate) fn get(path: &'static str) -> Self {
        Self {
            method: Method::GET,
            path,
            query: String::new(),
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn post(path: &'static str) -> Self {
        Self {
            method: Method::POST,
            ..Self::get(path)
        }
    }

    /// Sets the query, form-encoded.
    pub(crate) fn query(self, pairs: &[(&str, &str)]) -> Self {
        Self {
            query: encoded(pairs),
            ..self
        }
    }

    /// Sets a form as the body.
    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let mime = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.body(mime, encoded(pairs).into_bytes())
    }

    /// Sets JSON as the body.
    pub(crate) fn json(self, value: &Value) -> Self {
        let mime = HeaderValue::from_static("application/json");
        self.body(mime, value.to_string().into_bytes())
    }

    /// Sets the content type that the platform's document asks for, whatever the body.
    pub(crate) fn content_type(mut self, mime: &'static str) -> Self {
        let mime = HeaderValue::from_static(mime);
        self.headers.insert(CONTENT_TYPE, mime);
        self
    }

    /// Adds a header whose value is a secret. One that no header can hold is left out: the platform
    /// then says what it misses.
    pub(crate) fn secret_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    fn body(mut self, mime: HeaderValue, body: Vec<u8>) -> Self {
        self.headers.insert(CONTENT_TYPE, mime);
        Self { body, ..self }
    }

    /// Where it goes at this host. It may hold a secret: never show it.
    pub(super) fn url(&self, host: &BaseUrl) -> reqwest::Url {
        let query = Some(&*self.query).filter(|query| !query.is_empty());
        host.at(self.path, query)
    }
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, call: &Call) -> String {
        call.url(&BaseUrl::parse(base).unwrap()).into()
    }

    #[test]
    fn values_cannot_escape_their_parameter() {
        let call = Call::get("/sns/jscode2session").query(&[
            ("appid", "wx1"),
            ("secret", "s&="),
            ("js_code", "a&appid=b#+\r\n\u{e9}"),
        ]);
        let query = "appid=wx1&secret=s%26%3D&js_code=a%26appid%3Db%23%2B%0D%0A%C3%A9";
        assert_eq!(
            url("https://api.weixin.qq.com", &call),
            format!("https://api.weixin.qq.com/sns/jscode2session?{query}"),
        );
    }

    #[test]
    fn a_path_is_kept_and_a_trailing_slash_tolerated() {
        for base in ["http://h:8/w", "http://h:8/w/"] {
            assert_eq!(url(base, &Call::post("/x/")), "http://h:8/w/x/");
        }
    }

    #[test]
    fn no_value_can_print() {
        let call = Call::post("/x")
            .query(&[("a", "canary")])
            .json(&"canary".into())
            .secret_header(HeaderName::from_static("access-token"), "canary");
        assert_eq!(
            format!("{call:?}"),
            "Call { method: POST, path: \"/x\", .. }"
        );
    }
}
