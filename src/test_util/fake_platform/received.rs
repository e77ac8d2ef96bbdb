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

    pub(super) fn query(&self) -> Parameters {
        Parameters::parse(self.0.uri().query().unwrap_or_default().as_bytes())
    }

    /// The body as a form.
    pub(super) fn form(&self) -> Parameters {
        Parameters::parse(self.0.body())
    }

    /// The texts of a JSON body.
    pub(super) fn json(&self) -> Parameters {
        let body: Value = serde_json::from_slice(self.0.body()).unwrap_or_default();
        let members = body.as_object().into_iter().flatten();
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
