//! What to do about an error on the way to a server, whichever it is: one sentence for whoever runs a node.

/// What is found in the text of an error of the network or of TLS, and what to do then.
const TEXTS: [(&str, &str); 7] = [
    (
        "failed to lookup address",
        "no address is known for this name: see how it is written in the URL, and the DNS of this machine",
    ),
    (
        "Connection refused",
        "nothing listens there: see whether the server is up, and the port in the URL",
    ),
    (
        "UnknownIssuer",
        "this machine does not trust the authority of the server's certificate: give that to tls_authorities",
    ),
    (
        "CaUsedAsEndEntity",
        "the server's certificate is that of an authority: give it one of its own, and the authority's to tls_authorities",
    ),
    (
        "certificate not valid for name",
        "the server's certificate is for another name: write that one in the URL",
    ),
    (
        "certificate expired",
        "the server's certificate has expired: renew it, if the clock of this machine is right",
    ),
    (
        "certificate not valid yet",
        "the server's certificate is not valid yet: see whether the clock of this machine is right",
    ),
];

/// The same about the certificate that a client has, where a store takes one.
#[cfg(any(feature = "postgres", feature = "redis"))]
const CLIENT_TEXTS: [(&str, &str); 6] = [
    (
        "alert: CertificateRequired",
        "the server wants a client certificate: give it tls_client_certificate",
    ),
    ("alert: UnknownCA", CLIENT_CERTIFICATE),
    ("alert: BadCertificate", CLIENT_CERTIFICATE),
    ("alert: CertificateUnknown", CLIENT_CERTIFICATE),
    ("alert: CertificateExpired", CLIENT_CERTIFICATE),
    ("alert: DecryptError", CLIENT_CERTIFICATE),
];

#[cfg(any(feature = "postgres", feature = "redis"))]
const CLIENT_CERTIFICATE: &str = "the server does not accept our tls_client_certificate: it is not by one of the server's authorities, or has expired";

/// What to do, if anything is known to help.
pub(super) fn network_advice(said: &str) -> Option<&'static str> {
    let known = TEXTS.iter().find(|(text, _)| said.contains(text));
    known.map(|(_, advice)| *advice)
}

/// What to do about the client's certificate, if it is that.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(super) fn client_certificate_advice(said: &str) -> Option<&'static str> {
    let known = CLIENT_TEXTS.iter().find(|(text, _)| said.contains(text));
    known.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux and rustls word them, in the order of the rows.
    const SAID: [&str; TEXTS.len()] = [
        "failed to lookup address information: Name or service not known",
        "Connection refused (os error 111)",
        "invalid peer certificate: UnknownIssuer",
        "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
        "invalid peer certificate: certificate not valid for name \"db\"; certificate is only valid for",
        "invalid peer certificate: certificate expired: verification time",
        "invalid peer certificate: certificate not valid yet: verification time",
    ];

    #[test]
    fn each_error_has_its_advice() {
        for (said, (_, advice)) in SAID.iter().zip(TEXTS) {
            assert_eq!(network_advice(said), Some(advice), "{said}");
        }
    }

    #[cfg(any(feature = "postgres", feature = "redis"))]
    #[test]
    fn so_has_each_about_the_client_s_certificate() {
        let said = [
            "received fatal alert: CertificateRequired",
            "received fatal alert: UnknownCA",
            "received fatal alert: BadCertificate",
            "received fatal alert: CertificateUnknown",
            "received fatal alert: CertificateExpired",
            "received fatal alert: DecryptError",
        ];
        for (said, (_, advice)) in said.iter().zip(CLIENT_TEXTS) {
            assert_eq!(client_certificate_advice(said), Some(advice), "{said}");
        }
    }

    #[test]
    fn what_passes_by_itself_needs_none() {
        assert_eq!(network_advice("Broken pipe (os error 32)"), None);
    }
}
