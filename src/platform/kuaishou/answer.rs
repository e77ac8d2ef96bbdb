use crate::login::ExchangeErrorKind::{self, *};
use crate::platform::api::{Failure, Fields, User};
use crate::platform::verdict::Verdict;

const RESULT: Verdict = Verdict {
    code: "result",
    message: "error_msg",
    good: 1,
    kind_of: classify,
};

pub(super) fn parse(fields: &Fields) -> Result<User, Failure> {
    RESULT.check(fields)?;
    User::read(fields, "open_id", "union_id")
}

/// What a result other than 1 means for a login.
const fn classify(result: i64) -> ExchangeErrorKind {
    match result {
        100200105 | 240001 => CodeRejected,
        // Without a result it is no answer.
        0 | 100200500 => Unavailable,
        // Among them 100, 240002, 100200100 and 100200101.
        _ => Misconfigured,
    }
}
