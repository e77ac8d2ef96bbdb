use std::borrow::Cow;
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::config_error::ConfigError;

/// Encrypts connections, and trusts what the system trusts.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// Also trusts the authorities whose certificates are given as PEM.
    pub(crate) fn new(authorities: &[u8]) -> Result<Self, ConfigError> {
        let roots = CertificateDer::pem_slice_iter(authorities)
            .enumerate()
            .map(|(before, root)| root.map_err(|_| malformed(before + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        // Text without a single block, such as the path of a file, is no error of the parser.
        if roots.is_empty() && !authorities.is_empty() {
            return Err(malformed(1));
        }
        // Named, because the process may have another one, or several to choose from.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
            .map_err(|_| refused("authorities to trust, as the system has none"))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| ConfigError::new("url", "a scheme without TLS", &"rediss"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) async fn connect<S>(&self, host: &str, stream: S) -> std::io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

fn malformed(position: usize) -> ConfigError {
    refused(format!("PEM as certificate {position}"))
}

/// Whoever takes the wrong file may take that of the private key.
fn refused(expected: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::hidden("tls_authorities", expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_refused_and_not_shown() {
        for text in ["/etc/ssl/ca.pem", "-----BEGIN CERTIFICATE-----\n!\n"] {
            let error = Tls::new(text.as_bytes()).map(drop).unwrap_err().to_string();
            assert!(error.contains("PEM as certificate 1"), "{error}");
            assert!(!error.contains(text), "{error}");
        }
        assert!(Tls::new(&[]).is_ok());
    }
}
