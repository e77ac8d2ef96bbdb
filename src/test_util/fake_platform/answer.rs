use http::StatusCode;

use super::fault::Fault;
use super::outcome::{Outcome, Refused, User};

/// An answer as the platform writes it, and what goes wrong with it.
#[derive(Debug)]
pub struct Answer {
    pub(super) fault: Option<Fault>,
    pub(super) status: StatusCode,
    pub(super) mime: &'static str,
    pub(super) body: String,
}

impl Answer {
    /// Status 200, whatever the body says.
    pub(super) const fn ok(mime: &'static str, body: String) -> Self {
        Self {
            fault: None,
            status: StatusCode::OK,
            mime,
            body,
        }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The answer to an exchange, in the platform's words.
    pub(super) fn to_exchange(
        outcome: Outcome,
        mime: &'static str,
        write: impl FnOnce(Result<User, Refused>, u64) -> String,
    ) -> Self {
        let body = write(outcome.user, outcome.number);
        Self::ok(mime, body).with_fault(outcome.fault)
    }

    /// A gateway's page.
    pub(super) fn page(status: StatusCode, title: &str) -> Self {
        Self {
            fault: None,
            status,
            mime: "text/html",
            body: format!(
                "<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
            ),
        }
    }

    /// What is sent in its place, or goes wrong on its way.
    pub(super) fn with_fault(self, fault: Option<Fault>) -> Self {
        match fault {
            Some(Fault::Broken) => Self {
                mime: self.mime,
                ..Self::page(StatusCode::OK, "busy")
            },
            Some(Fault::Error5xx) => Self::page(StatusCode::BAD_GATEWAY, "502 Bad Gateway"),
            fault => Self { fault, ..self },
        }
    }
}
