//! Whom encrypted connections trust.

use mysql_async::SslOpts;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::config_error::ConfigError;

/// Trusts Mozilla's authorities, and those whose certificates are given as PEM.
pub(super) fn options(authorities: &[u8]) -> Result<SslOpts, ConfigError> {
    // The client takes the cryptography of the process, and panics where that has none and could
    // choose between several. Where it has one already this changes nothing.
    let _ = aws_lc_rs::default_provider().install_default();
    let options = SslOpts::default();
    if authorities.is_empty() {
        return Ok(options);
    }
    expect_certificates(authorities)?;
    Ok(options.with_root_certs(vec![authorities.to_vec().into()]))
}

/// The client would find out with each connection, and would take text without a block for a certificate.
fn expect_certificates(pem: &[u8]) -> Result<(), ConfigError> {
    let malformed = |position| {
        let expected = format!("PEM as certificate {position}");
        ConfigError::hidden("tls_authorities", expected)
    };
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        count += 1;
        certificate.map_err(|_| malformed(count))?;
    }
    match count {
        0 => Err(malformed(1)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_refused_and_not_shown() {
        for text in ["/etc/ssl/ca.pem", "-----BEGIN CERTIFICATE-----\n!\n"] {
            let error = options(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("PEM as certificate 1"), "{error}");
            assert!(!error.contains(text), "{error}");
        }
        assert!(options(&[]).is_ok());
    }
}
