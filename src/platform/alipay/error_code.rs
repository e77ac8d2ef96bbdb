use std::time::Duration;

use crate::login::ExchangeErrorKind::{self, *};

/// How long to wait where Alipay calls too often: it names no time.
const LIMITED: Duration = Duration::from_secs(60);

/// What an error means for a login, by its `code` and, where it has one, its `sub_code`.
pub(super) fn classify(code: &str, sub_code: &str) -> ExchangeErrorKind {
    match (code, sub_code) {
        (_, "isv.code-invalid") => CodeRejected,
        ("40005", _) => RateLimited(LIMITED),
        (_, sub_code) if sub_code.ends_with("-call-limited") => RateLimited(LIMITED),
        ("20000", _) | (_, "aop.unknow-error") => Unavailable,
        (_, sub_code) if sub_code.starts_with("isp.") => Unavailable,
        _ => Misconfigured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_has_its_class() {
        let table: &[(ExchangeErrorKind, &[(&str, &str)])] = &[
            (CodeRejected, &[("40002", "isv.code-invalid")]),
            (
                Unavailable,
                &[
                    ("20000", "isp.unknow-error"),
                    ("20000", "aop.unknow-error"),
                    ("20000", ""),
                    ("40004", "isp.unknow-error"),
                    ("40004", "aop.unknow-error"),
                ],
            ),
            (
                RateLimited(LIMITED),
                &[
                    ("40005", "isv.app-call-limited"),
                    ("40005", "isv.method-call-limited"),
                    ("40005", "app-call-limited"),
                    ("40005", ""),
                    ("40004", "isp.method-call-limited"),
                ],
            ),
            (Misconfigured, MISCONFIGURED),
        ];
        for (kind, errors) in table {
            for (code, sub_code) in *errors {
                assert_eq!(classify(code, sub_code), *kind, "{code} {sub_code}");
            }
        }
    }

    const MISCONFIGURED: &[(&str, &str)] = &[
        ("20001", "aop.invalid-auth-token"),
        ("20001", "aop.auth-token-time-out"),
        ("20001", "aop.invalid-app-auth-token"),
        ("20001", "aop.invalid-app-auth-token-no-api"),
        ("20001", "aop.app-auth-token-time-out"),
        ("20001", "aop.no-product-reg-by-partner"),
        ("40001", "isv.missing-method"),
        ("40001", "isv.missing-signature"),
        ("40001", "isv.missing-signature-type"),
        ("40001", "isv.missing-signature-key"),
        ("40001", "isv.missing-app-id"),
        ("40001", "isv.missing-timestamp"),
        ("40001", "isv.missing-version"),
        ("40001", "isv.missing-app-cert-sn"),
        ("40001", "isv.missing-alipay-root-cert-sn"),
        ("40001", "isv.decryption-error-missing-encrypt-type"),
        ("40002", "isv.invalid-parameter"),
        ("40002", "isv.invalid-method"),
        ("40002", "isv.invalid-format"),
        ("40002", "isv.invalid-signature-type"),
        ("40002", "isv.invalid-signature"),
        ("40002", "isv.invalid-app-id"),
        ("40002", "isv.invalid-timestamp"),
        ("40002", "isv.invalid-charset"),
        ("40002", "isv.grant-type-invalid"),
        ("40002", "isv.unmatched-app-id"),
        ("40002", "isv.refresh-token-invalid"),
        ("40002", "isv.refresh-token-time-out"),
        ("40002", "isv.refreshed-token-invalid"),
        ("40002", "isv.suspected-attack"),
        ("40002", "isv.forbidden-api"),
        ("40002", "isv.app-cert-expired"),
        ("40002", "not-online-app"),
        ("40003", "isv.missing-signature-config"),
        ("40003", "invalid-auth-relations"),
        ("40004", "unsupported-sdk-version"),
        ("40006", "isv.insufficient-isv-permissions"),
        ("40006", "isv.insufficient-user-permissions"),
        ("40006", "isv.self-invoke-forbidden"),
        ("40006", "isv.ip-forbidden"),
        ("40002", ""),
        ("49999", "isv.of-tomorrow"),
        ("", ""),
    ];
}
