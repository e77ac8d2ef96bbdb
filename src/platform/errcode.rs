use std::time::Duration;

use super::api::Failure;
use crate::login::ExchangeErrorKind::{self, *};

/// The failure that a nonzero errcode stands for, with WeChat's message.
pub(crate) fn refusal(errcode: i64, errmsg: Option<&str>) -> Failure {
    let hint = named(errcode);
    let hinted = hint.map(|hint| format!("{} ({hint})", errmsg.unwrap_or("no message")));
    let (kind, code) = (classify(errcode), errcode.to_string());
    Failure::coded(kind, "errcode", code, hinted.as_deref().or(errmsg))
}

/// What is to be done about an app, where the message does not say it clearly.
const fn named(errcode: i64) -> Option<&'static str> {
    match errcode {
        40164 => Some("our address is not in the app's list of IP addresses"),
        40243 => Some("the AppSecret is frozen"),
        48001 => Some("the app does not have this API"),
        89503 => Some("the app's administrator has to confirm our address"),
        _ => None,
    }
}

/// What a nonzero errcode of WeChat and QQ means for a login.
pub(crate) const fn classify(errcode: i64) -> ExchangeErrorKind {
    match errcode {
        40029 | 40163 | 42003 | 61010 => CodeRejected,
        -1 => Unavailable,
        45011 => RateLimited(Duration::from_secs(60)),
        45009 => RateLimited(Duration::from_secs(3600)),
        40226 | 50001 | 50002 => UserBlocked,
        41008 => BadRequest,
        // Among them 40013, 40125, 40164, 40243, 41002, 41004, 48001 and 89503.
        _ => Misconfigured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errcode_has_its_class() {
        let table: &[(ExchangeErrorKind, &[i64])] = &[
            (CodeRejected, &[40029, 40163, 42003, 61010]),
            (Unavailable, &[-1]),
            (RateLimited(Duration::from_secs(60)), &[45011]),
            (RateLimited(Duration::from_secs(3600)), &[45009]),
            (UserBlocked, &[40226, 50001, 50002]),
            (BadRequest, &[41008]),
            (
                Misconfigured,
                &[40013, 41002, 40125, 41004, 40164, 40243, 48001, 89503],
            ),
            (Misconfigured, &[1, -2, 99999, i64::MIN, i64::MAX]),
        ];
        for (kind, errcodes) in table {
            for &errcode in *errcodes {
                assert_eq!(classify(errcode), *kind, "{errcode}");
            }
        }
    }
}
