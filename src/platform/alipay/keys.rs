use std::fmt;
use std::sync::Arc;

use super::certificate::{Certificate, root_sn};
use super::private_key::PrivateKey;
use super::public_key::PublicKey;
use crate::config_error::ConfigError;

/// The keys of one app at Alipay: its own private key, and Alipay's public one.
///
/// All are RSA keys of at least 2048 bits (RSA2), as PEM or as the one line of base64 that Alipay's
/// tools write. A private key is PKCS#8 ("Java") or PKCS#1 ("non-Java"). Its `Debug` shows no key,
/// and cloning is cheap.
#[derive(Clone)]
pub struct AlipayKeys(Arc<Keys>);

struct Keys {
    private: PrivateKey,
    alipay: PublicKey,
    serials: Option<Serials>,
}

/// What tells Alipay which certificates are in use.
#[derive(Debug)]
pub(super) struct Serials {
    pub(super) app: String,
    pub(super) root: String,
}

impl AlipayKeys {
    /// The keys of an app in the mode "key" (公钥模式).
    ///
    /// `alipay_public_key` is Alipay's key (支付宝公钥), which the console shows once the app's own public
    /// key is there. It is not the app's own (应用公钥).
    ///
    /// # Errors
    ///
    /// If one of them is no such key, or both are halves of one.
    pub fn new(app_private_key: &str, alipay_public_key: &str) -> Result<Self, ConfigError> {
        let private = private_key(app_private_key)?;
        let alipay = PublicKey::parse(alipay_public_key);
        let alipay = alipays("alipay_public_key", alipay, &private)?;
        Ok(Self::of(private, alipay, None))
    }

    /// The keys of an app in the mode "certificate" (公钥证书模式), with the contents of its three files.
    ///
    /// They are `appCertPublicKey_….crt`, `alipayCertPublicKey_RSA2.crt` and `alipayRootCert.crt`. The
    /// certificates are not verified and their ends not looked at: Alipay refuses what is not in use.
    ///
    /// # Errors
    ///
    /// If one of them is no such key or certificate, the app's certificate is of another key than the
    /// private one, or Alipay's is of the same. The issuers may have the attributes C, ST, L, O, OU and
    /// CN.
    pub fn from_certificates(
        app_private_key: &str,
        app_certificate: &str,
        alipay_certificate: &str,
        alipay_root_certificates: &str,
    ) -> Result<Self, ConfigError> {
        let private = private_key(app_private_key)?;
        let app = certificates("app_certificate", app_certificate)?;
        if !app[0]
            .public_key()
            .is_some_and(|key| key.belongs_to(&private))
        {
            let expected = "the certificate of app_private_key";
            return Err(ConfigError::hidden("app_certificate", expected));
        }
        let alipay = certificates("alipay_certificate", alipay_certificate)?;
        let alipay = alipays("alipay_certificate", alipay[0].public_key(), &private)?;
        let roots = certificates("alipay_root_certificates", alipay_root_certificates)?;
        let root = root_sn(&roots).ok_or_else(|| {
            let expected = "a certificate that is signed with RSA";
            ConfigError::hidden("alipay_root_certificates", expected)
        })?;
        let app = app[0].sn();
        let serials = Serials { app, root };
        Ok(Self::of(private, alipay, Some(serials)))
    }

    fn of(private: PrivateKey, alipay: PublicKey, serials: Option<Serials>) -> Self {
        Self(Arc::new(Keys {
            private,
            alipay,
            serials,
        }))
    }

    pub(super) fn sign(&self, text: &str) -> String {
        self.0.private.sign(text)
    }

    /// Alipay's key.
    pub(super) fn alipay(&self) -> &PublicKey {
        &self.0.alipay
    }

    pub(super) fn serials(&self) -> Option<&Serials> {
        self.0.serials.as_ref()
    }
}

fn private_key(text: &str) -> Result<PrivateKey, ConfigError> {
    let expected = "an RSA private key of 2048 bits or more, PKCS#8 or PKCS#1, as PEM or one line";
    PrivateKey::parse(text).ok_or_else(|| ConfigError::hidden("app_private_key", expected))
}

/// Alipay's key. The app's own in its place is the usual mistake, and would fail at every login.
fn alipays(
    setting: &'static str,
    key: Option<PublicKey>,
    private: &PrivateKey,
) -> Result<PublicKey, ConfigError> {
    let expected = "an RSA public key of 2048 bits or more, as PEM or one line";
    let key = key.ok_or_else(|| ConfigError::hidden(setting, expected))?;
    match key.belongs_to(private) {
        true => Err(ConfigError::hidden(
            setting,
            "the key of Alipay, not the app's own",
        )),
        false => Ok(key),
    }
}

/// The certificates of a file, at least one.
fn certificates(setting: &'static str, text: &str) -> Result<Vec<Certificate>, ConfigError> {
    let expected = "X.509 certificates as PEM";
    Certificate::parse_all(text)
        .filter(|all| !all.is_empty())
        .ok_or_else(|| ConfigError::hidden(setting, expected))
}

impl fmt::Debug for AlipayKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlipayKeys")
            .field("serials", &self.0.serials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::platform::alipay::fixtures::{ALIPAY, APP, vectors};

    const PEM: &str = "-----BEGIN X-----\nLINE\n-----END X-----\n";

    /// A key as one line, and as PEM.
    fn forms(line: &str) -> [String; 2] {
        [line.to_owned(), PEM.replace("LINE", line)]
    }

    #[test]
    fn keys_are_taken_in_every_form_that_tools_write() {
        for private in [&APP.pkcs8, &APP.pkcs1]
            .into_iter()
            .flat_map(|line| forms(line))
        {
            for public in [&ALIPAY.spki, &ALIPAY.public_pkcs1]
                .into_iter()
                .flat_map(|line| forms(line))
            {
                let keys = AlipayKeys::new(&private, &public).unwrap();
                let app = PublicKey::parse(&APP.spki).unwrap();
                assert!(app.verifies("text", &keys.sign("text")));
                assert!(!app.verifies("text ", &keys.sign("text")));
                assert!(keys.serials().is_none());
            }
        }
    }

    #[test]
    fn the_key_of_the_vectors_is_taken_as_pem_and_as_one_line() {
        let vectors = vectors();
        for form in ["alipay_public_key_pem", "alipay_public_key_one_line"] {
            AlipayKeys::new(&APP.pkcs8, vectors[form].as_str().unwrap()).unwrap();
        }
    }

    fn read(text: &str) {
        let _ = PrivateKey::parse(text);
        let _ = PublicKey::parse(text).map(|key| key.verifies("text", "AAAA"));
        let certificates = Certificate::parse_all(text).unwrap_or_default();
        let _ = root_sn(&certificates);
    }

    #[test]
    fn whatever_is_cut_or_damaged_is_a_key_or_none() {
        let vectors = vectors();
        let certificates = vectors["certificates"].as_array().unwrap().iter();
        let mut texts: Vec<_> = certificates
            .map(|certificate| certificate["pem"].as_str().unwrap().to_owned())
            .collect();
        texts.extend(forms(&APP.pkcs1));
        texts.extend(forms(&ALIPAY.spki));
        for text in texts {
            for end in (0..text.len()).rev().step_by(5) {
                read(&text[..end]);
            }
        }
        for line in [&APP.pkcs8, &APP.pkcs1, &ALIPAY.spki, &ALIPAY.public_pkcs1] {
            let der = BASE64_STANDARD.decode(line).unwrap();
            for at in 0..der.len().min(64) {
                let mut other = der.clone();
                other[at] ^= 0x81;
                read(&BASE64_STANDARD.encode(other));
            }
        }
    }

    #[test]
    fn a_wrong_key_says_which_and_not_what() {
        let (app, alipay) = (&*APP.pkcs8, &*ALIPAY.spki);
        let private = "app_private_key: expected an RSA private key of 2048 bits or more, \
                       PKCS#8 or PKCS#1, as PEM or one line, got ";
        let public = "alipay_public_key: expected an RSA public key of 2048 bits or more, \
                      as PEM or one line, got ";
        let own = "alipay_public_key: expected the key of Alipay, not the app's own, got ";
        for (app, alipay, expected) in [
            ("", alipay, private),
            ("canary", alipay, private),
            (alipay, alipay, private),
            (&app[4..], alipay, private),
            (app, "", public),
            (app, "canary", public),
            (app, app, public),
            (app, &APP.spki, own),
            (app, &APP.public_pkcs1, own),
        ] {
            let error = AlipayKeys::new(app, alipay).unwrap_err().to_string();
            let hidden = "a value that is not shown, as it may hold credentials";
            assert_eq!(error, format!("{expected}{hidden}"));
        }
    }
}
