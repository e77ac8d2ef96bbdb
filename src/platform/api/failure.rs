use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, iter};

use http::StatusCode;

use super::mask::mask;
use crate::login::{ExchangeError, ExchangeErrorKind};

/// Why a platform gave nothing: foreign texts are not masked yet.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The platform's own word, such as `errcode 40029`, with its text.
    Refused {
        kind: ExchangeErrorKind,
        /// What an application knows it by that says what it means: `40029`.
        code: Option<String>,
        word: String,
        message: String,
    },
    Unreadable {
        problem: Cow<'static, str>,
        status: Option<StatusCode>,
    },
    TimedOut(Duration),
    Transport(String),
    NoClient(String),
    /// The platform has no other token than the one that it refused.
    SameToken,
    UnknownApp,
}

impl Failure {
    /// A refusal by an error code of the platform, whose name stands before it in the log.
    pub(crate) fn coded(
        kind: ExchangeErrorKind,
        name: &str,
        code: impl Into<String>,
        message: Option<&str>,
    ) -> Self {
        let code = code.into();
        let word = format!("{name} {code}");
        Self::of(kind, Some(code), word, message)
    }

    /// A refusal of which the platform's error codes say nothing.
    pub(crate) fn refused(
        kind: ExchangeErrorKind,
        word: impl Into<String>,
        message: Option<&str>,
    ) -> Self {
        Self::of(kind, None, word.into(), message)
    }

    fn of(
        kind: ExchangeErrorKind,
        code: Option<String>,
        word: String,
        message: Option<&str>,
    ) -> Self {
        Self::Refused {
            kind,
            code,
            word,
            message: message.unwrap_or("no message").to_owned(),
        }
    }

    /// The status decides nothing, but a gateway's page differs by it from WeChat's own.
    pub(crate) fn unreadable(problem: impl Into<Cow<'static, str>>) -> Self {
        Self::Unreadable {
            problem: problem.into(),
            status: None,
        }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        match self {
            Self::Unreadable { problem, .. } => Self::Unreadable {
                problem,
                status: Some(status),
            },
            other => other,
        }
    }

    /// A fault on the way, described by its innermost cause: no URL is in it.
    pub(crate) fn transport(error: &reqwest::Error) -> Self {
        let stage = if error.is_connect() {
            "cannot connect"
        } else if error.is_body() || error.is_decode() {
            "answer cut off"
        } else {
            "no answer"
        };
        Self::Transport(format!("{stage}: {}", innermost(error)))
    }

    pub(crate) fn no_client(error: &reqwest::Error) -> Self {
        Self::NoClient(innermost(error))
    }

    /// Of the kind that the application has given to its code, if it has.
    pub(crate) fn reclassified(mut self, kinds: &[(Arc<str>, ExchangeErrorKind)]) -> Self {
        let row = kinds.iter().find(|(code, _)| self.code() == Some(code));
        if let (Self::Refused { kind, .. }, Some((_, given))) = (&mut self, row) {
            *kind = *given;
        }
        self
    }

    /// The platform's code, such as `40029`, if it refused by one.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// The error for the operator, without any of the secrets.
    pub(crate) fn hiding(self, secrets: &[&str]) -> ExchangeError {
        let kind = self.kind();
        ExchangeError::new(kind).caused_by(self.masked(secrets).to_string())
    }

    pub(crate) const fn kind(&self) -> ExchangeErrorKind {
        match self {
            Self::Refused { kind, .. } => *kind,
            Self::Unreadable { .. } | Self::TimedOut(_) | Self::Transport(_) | Self::SameToken => {
                ExchangeErrorKind::Unavailable
            }
            Self::NoClient(_) => ExchangeErrorKind::Misconfigured,
            Self::UnknownApp => ExchangeErrorKind::BadRequest,
        }
    }

    pub(crate) fn masked(self, secrets: &[&str]) -> Self {
        match self {
            Self::Refused {
                kind,
                code,
                word,
                message,
            } => Self::Refused {
                kind,
                code,
                word: mask(&word, secrets),
                message: mask(&message, secrets),
            },
            Self::Transport(text) => Self::Transport(mask(&text, secrets)),
            other => other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { word, message, .. } => write!(f, "{word}: {message}"),
            Self::Unreadable { problem, status } => {
                let status = status.map_or(0, |status| status.as_u16());
                write!(f, "unreadable answer with status {status}: {problem}")
            }
            Self::TimedOut(limit) => write!(f, "timed out after {limit:?}"),
            Self::Transport(text) => f.write_str(text),
            Self::NoClient(text) => write!(f, "cannot make an HTTP client: {text}"),
            Self::SameToken => f.write_str("the token that was refused was given again"),
            Self::UnknownApp => f.write_str("no such app is configured"),
        }
    }
}

/// The outer errors say little more than that sending failed, and the outermost holds the URL.
fn innermost(error: &reqwest::Error) -> String {
    iter::successors(error.source(), |&error| error.source())
        .last()
        .map_or_else(|| "unknown cause".to_owned(), ToString::to_string)
}
