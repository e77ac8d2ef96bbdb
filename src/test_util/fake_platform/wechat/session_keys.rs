use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex;
use crate::test_util::fake_platform::outcome::digest;
use crate::test_util::fake_platform::received::Parameters;

/// The session_key of the last code of each user, by app and openid; none once it is over.
#[derive(Debug, Default)]
pub(super) struct SessionKeys(HashMap<(String, String), Option<String>>);

impl SessionKeys {
    pub(super) fn note(&mut self, appid: &str, openid: &str, key: &str) {
        let user = (appid.to_owned(), openid.to_owned());
        self.0.insert(user, Some(key.to_owned()));
    }

    pub(super) fn get(&self, appid: &str, openid: &str) -> Option<String> {
        let user = (appid.to_owned(), openid.to_owned());
        self.0.get(&user).cloned().flatten()
    }

    /// Ends all keys.
    pub(super) fn end(&mut self) {
        self.0.values_mut().for_each(|key| *key = None);
    }

    /// Another key in the place of a good one.
    pub(super) fn reset(&mut self, appid: &str, openid: &str) -> Option<String> {
        let old = self.get(appid, openid)?;
        let new = BASE64_STANDARD.encode(&digest(&["reset", &old])[..16]);
        self.note(appid, openid, &new);
        Some(new)
    }

    /// The openid that a request is about, once it has shown that it has the session_key; `body` is
    /// what is signed.
    pub(super) fn check(
        &self,
        appid: &str,
        query: &Parameters,
        body: &[u8],
    ) -> Result<String, i64> {
        let openid = query.get("openid");
        if !self.0.contains_key(&(appid.to_owned(), openid.to_owned())) {
            return Err(40003);
        }
        if query.get("sig_method") != "hmac_sha256" {
            return Err(87008);
        }
        let key = self.get(appid, openid).ok_or(87009)?;
        match query.get("signature") == signature(&key, body) {
            true => Ok(openid.to_owned()),
            false => Err(87009),
        }
    }
}

fn signature(key: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mac = mac
        .expect("HMAC takes keys of any length")
        .chain_update(body);
    hex::encode(&mac.finalize().into_bytes())
}
