use crate::login::ExchangeErrorKind::{self, *};

/// What a nonzero code means for a login to a mini app or a mini game.
pub(super) const fn classify(code: i64) -> ExchangeErrorKind {
    match code {
        40018 | 40019 => CodeRejected,
        -1 => Unavailable,
        // Among them 40014, 40015 and 40017.
        _ => Misconfigured,
    }
}
