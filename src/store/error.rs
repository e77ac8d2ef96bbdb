use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::cause::Cause;
use crate::rejection::{Rejection, RejectionKind};

/// Why a store gave no answer.
///
/// One failure is shared by all requests that waited for the same answer, so it is cheap to clone.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    /// The store would accept the operation, but cannot write at the moment.
    is_unwritten: bool,
    /// A link has failed, and what it would tell of goes on.
    is_of_link_alone: bool,
    cause: Cause,
}

/// The kinds of [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store did not answer, or answered that it cannot: requests get 503.
    Unavailable,
    /// The record is damaged: this session alone is refused as unknown (401).
    Corrupt,
    /// The record was written by a newer release: requests get 503.
    NewerVersion,
}

impl StoreError {
    /// An error of this kind, without a cause.
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self {
            kind,
            is_unwritten: false,
            is_of_link_alone: false,
            cause: Cause::UNKNOWN,
        }
    }

    /// The answer of a store that cannot be written at the moment to a
    /// [`touch`](crate::store::SessionStore::touch) that it would accept: the session is there and was not
    /// revoked. Otherwise as any [`Unavailable`](StoreErrorKind::Unavailable).
    #[must_use]
    pub const fn unwritten() -> Self {
        Self {
            kind: StoreErrorKind::Unavailable,
            is_unwritten: true,
            is_of_link_alone: false,
            cause: Cause::UNKNOWN,
        }
    }

    /// The store is unavailable, and why.
    pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Unavailable).caused_by(source)
    }

    /// No answer came within a span, and nothing else is known.
    pub(crate) fn late(span: Duration) -> Self {
        Self::unavailable(Late(span))
    }

    /// Whether the store itself has failed; other failures are those of one record.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.kind == StoreErrorKind::Unavailable
    }

    /// The store has answered a write meanwhile: no use is late because of this failure.
    pub(crate) fn of_link_alone(self) -> Self {
        Self {
            is_of_link_alone: true,
            ..self
        }
    }

    /// Whether it says nothing of the store but that there is no link to it.
    pub(crate) const fn is_of_link_alone(&self) -> bool {
        self.is_of_link_alone
    }

    /// Whether all that is known is that no answer came in time.
    pub(crate) fn is_late(&self) -> bool {
        self.source().is_some_and(|cause| cause.is::<Late>())
    }

    /// Only the load of a record can find it damaged; no other failure says anything of a session.
    pub(crate) fn about_no_record(self) -> Self {
        if self.is_unavailable() {
            self
        } else {
            Self::unavailable(self)
        }
    }

    /// Whether the store accepts the operation, and cannot write it.
    pub(crate) const fn is_unwritten(&self) -> bool {
        self.is_unwritten
    }

    /// Adds the cause, for the log. It must hold no secret, such as a URL with a password.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Cause::new(source),
            ..self
        }
    }

    /// The kind, to match on.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

#[derive(Debug)]
struct Late(Duration);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {} ms", self.0.as_millis())
    }
}

impl Error for Late {}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "session store unavailable",
            StoreErrorKind::Corrupt => "session record damaged",
            StoreErrorKind::NewerVersion => "session record of a newer release",
        })
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        Self::from(RejectionKind::StoreUnavailable).caused_by(error)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}
