use std::collections::HashMap;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;

/// A request, and the ways in which a platform reads it.
#[derive(Debug)]
pub struct Received<'a>(&'a Request<Bytes>);

/// Parameters; a missing one is empty.
pub(super) struct Parameters(HashMap<String, String>);

impl<'a> Received<'a> {
    pub(super) const fn new(request: &'a Request<Bytes>) -> Self {
        Self(request)
    }

    /// Whether it is for this method and path.
    pub(super) fn is(&self, method: &Method, path: &str) -> bool {
        self.0.method() == method && self.0.uri().path() == path
    }

    pub(super) fn method(&self) -> &Method {
        self.0.method()
    }

    pub(super) fn path(&self) -> &str {
        self.0.uri().path()
    }

    pub(super) fn query(&self) -> Parameters {
        Parameters::parse(self.0.uri().query().unwrap_or_default().as_bytes())
    }

    /// The body as a form; without parameters if it does not say that it is one.
    pub(super) fn form(&self) -> Parameters {
        match self.is_of_type("application/x-www-form-urlencoded") {
            true => Parameters::parse(self.0.body()),
            false => Parameters::parse(b""),
        }
    }

    /// A JSON body, whatever it says that it is; null if it is none.
    pub(super) fn json_value(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap_or_default()
    }

    fn is_of_type(&self, mime: &str) -> bool {
        let own = self.header("content-type").split(';').next();
        own.is_some_and(|own| own.trim().eq_ignore_ascii_case(mime))
    }

    /// The texts of a JSON body; none if it does not say that it is one.
    pub(super) fn json(&self) -> Parameters {
        let body = self.json_value();
        let object = body
            .as_object()
            .filter(|_| self.is_of_type("application/json"));
        let members = object.into_iter().flatten();
        let texts = members.filter_map(|(name, value)| Some((name, value.as_str()?)));
        Parameters(
            texts
                .map(|(name, text)| (name.clone(), text.to_owned()))
                .collect(),
        )
    }

    /// A header; empty where it is missing or no text.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.0.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as it came.
    pub(super) fn body(&self) -> &[u8] {
        self.0.body()
    }
}

impl Parameters {
    fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    #[cfg(feature = "alipay")]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}
