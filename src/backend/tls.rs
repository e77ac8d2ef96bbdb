//! How connections to servers are encrypted, and whom they trust.

use std::borrow::Cow;
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, Error};

use crate::config_error::ConfigError;

const AUTHORITIES: &str = "tls_authorities";
const CLIENT_CERTIFICATE: &str = "tls_client_certificate";

/// Who we are to a server that asks for a certificate, as PEM.
#[derive(Clone)]
pub(crate) struct Client {
    /// Ours, and behind it those of the authorities in between.
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

/// Trusts what the system trusts, and the authorities whose certificates are given as PEM.
pub(crate) fn client_config(
    authorities: &[u8],
    client: Option<Client>,
) -> Result<ClientConfig, ConfigError> {
    let roots = match authorities {
        [] => Vec::new(),
        pem => certificates(AUTHORITIES, pem)?,
    };
    // Named, because the process may have another one, or several to choose from.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
        .map_err(|_| refused(AUTHORITIES, "authorities to trust, as the system has none"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::new("url", "no TLS, which this build cannot speak", &"TLS"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match client {
        Some(client) => client.introduce(builder),
        None => Ok(builder.with_no_client_auth()),
    }
}

impl Client {
    fn introduce(
        self,
        builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    ) -> Result<ClientConfig, ConfigError> {
        let chain = certificates(CLIENT_CERTIFICATE, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| refused(CLIENT_CERTIFICATE, "PEM as the private key"))?;
        let introduced = builder.with_client_auth_cert(chain, key);
        introduced.map_err(|error| match error {
            Error::InconsistentKeys(_) => refused(CLIENT_CERTIFICATE, "the key of the certificate"),
            _ => refused(CLIENT_CERTIFICATE, "a key that TLS can be spoken with"),
        })
    }
}

/// Reads one certificate at least.
fn certificates(
    setting: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let malformed = |position| refused(setting, format!("PEM as certificate {position}"));
    let read = CertificateDer::pem_slice_iter(pem)
        .enumerate()
        .map(|(before, read)| read.map_err(|_| malformed(before + 1)))
        .collect::<Result<Vec<_>, _>>()?;
    // Text without a single block, such as the path of a file, is no error of the parser.
    match read.is_empty() {
        true => Err(malformed(1)),
        false => Ok(read),
    }
}

/// Whoever takes the wrong file may take that of the private key.
fn refused(setting: &'static str, expected: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::hidden(setting, expected)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn refusal(authorities: &str, client: Option<(&str, &str)>) -> Option<String> {
        let client = client.map(|(certificate, key)| Client {
            certificate: certificate.into(),
            key: key.into(),
        });
        let made = client_config(authorities.as_bytes(), client);
        made.err().map(|error| error.to_string())
    }

    fn certificate() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["node".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn what_holds_no_certificate_is_refused_and_not_shown() {
        for text in ["/etc/ssl/ca.pem", "-----BEGIN CERTIFICATE-----\n!\n"] {
            let error = refusal(text, None).unwrap();
            assert!(error.contains("PEM as certificate 1"), "{error}");
            assert!(!error.contains(text), "{error}");
        }
        assert_eq!(refusal("", None), None);
    }

    #[test]
    fn a_client_certificate_needs_its_key() {
        let ((certificate, key), (_, other)) = (certificate(), certificate());
        let client = |certificate: &str, key: &str| refusal("", Some((certificate, key)));
        assert_eq!(client(&certificate, &key), None);
        let hidden = "a value that is not shown, as it may hold credentials";
        for (certificate, key, expected) in [
            ("", &*key, "PEM as certificate 1"),
            ("/etc/ssl/node.pem", &key, "PEM as certificate 1"),
            (&certificate, "/etc/ssl/node.key", "PEM as the private key"),
            (&certificate, &certificate, "PEM as the private key"),
            (&certificate, &other, "the key of the certificate"),
        ] {
            let expected = format!("tls_client_certificate: expected {expected}, got {hidden}");
            assert_eq!(client(certificate, key), Some(expected));
        }
    }
}
