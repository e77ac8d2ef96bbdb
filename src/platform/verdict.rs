use super::api::{Failure, Fields};
use crate::login::ExchangeErrorKind;

/// How a platform says in its answer whether a request was good.
pub(crate) struct Verdict {
    /// The member with the code; 0 where it is absent.
    pub(crate) code: &'static str,
    /// The member with the text for people.
    pub(crate) message: &'static str,
    /// The code of a success.
    pub(crate) good: i64,
    /// What the other codes mean.
    pub(crate) kind_of: fn(i64) -> ExchangeErrorKind,
}

impl Verdict {
    /// Fails unless the answer has the code of a success, whatever else is in it.
    pub(crate) fn check(&self, fields: &Fields) -> Result<(), Failure> {
        match fields.code(self.code)? {
            code if code == self.good => Ok(()),
            code => Err(self.refusal(code, fields)),
        }
    }

    fn refusal(&self, code: i64, fields: &Fields) -> Failure {
        let (kind, message) = ((self.kind_of)(code), fields.text(self.message));
        let failure = Failure::coded(kind, self.code, code.to_string(), message);
        failure.masked(&fields.secrets())
    }
}
