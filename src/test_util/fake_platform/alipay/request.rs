use std::collections::BTreeMap;

use super::super::outcome::Refused;
use super::super::received::Received;
use crate::platform::alipay::{PrivateKey, PublicKey};

/// What every request has to have, and the error where it does not.
const REQUIRED: &[(&str, &str)] = &[
    ("method", "isv.missing-method"),
    ("sign_type", "isv.missing-signature-type"),
    ("timestamp", "isv.missing-timestamp"),
    ("version", "isv.missing-version"),
];

/// What the parameters have to be that are the same in every request, and the error where they are not.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("method", "alipay.system.oauth.token", "isv.invalid-method"),
    ("charset", "utf-8", "isv.invalid-charset"),
    ("sign_type", "RSA2", "isv.invalid-signature-type"),
];

/// A call of `alipay.system.oauth.token`: all parameters but the signature, sorted.
pub(super) struct OauthToken {
    parameters: BTreeMap<String, String>,
    sign: String,
}

impl OauthToken {
    pub(super) fn new(request: &Received<'_>) -> Self {
        let (query, form) = (request.query(), request.form());
        let both = query.iter().chain(form.iter());
        let mut parameters: BTreeMap<_, _> = both
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let sign = parameters.remove("sign").unwrap_or_default();
        Self { parameters, sign }
    }

    pub(super) fn appid(&self) -> &str {
        self.get("app_id")
    }

    pub(super) fn code(&self) -> &str {
        self.get("code")
    }

    /// What of it is missing or wrong, before anybody asks who sent it.
    pub(super) fn lacks(&self) -> Option<Refused> {
        let missing = REQUIRED.iter().find(|(name, _)| self.get(name).is_empty());
        if let Some((_, error)) = missing {
            return Some(Refused::Word(error));
        }
        let wrong = ALLOWED
            .iter()
            .find(|(name, value, _)| self.get(name) != *value);
        if let Some((_, _, error)) = wrong {
            return Some(Refused::Word(error));
        }
        (self.get("grant_type") != "authorization_code").then_some(Refused::BadRequest)
    }

    /// The app's secret, if the request is signed with it: who can sign has it.
    pub(super) fn secret<'a>(&self, known: Option<&'a str>) -> &'a str {
        match known {
            _ if self.sign.is_empty() => "",
            Some(secret) if self.is_signed_with(secret) => secret,
            _ => "another",
        }
    }

    fn is_signed_with(&self, private_key: &str) -> bool {
        let key = PrivateKey::parse(private_key).map(|key| key.public_key());
        let key = key.and_then(|line| PublicKey::parse(&line));
        key.is_some_and(|key| key.verifies(&self.signed_text(), &self.sign))
    }

    pub(super) fn signed_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.parameters {
            let joint = if text.is_empty() { "" } else { "&" };
            text.extend([joint, name, "=", value]);
        }
        text
    }

    fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}
