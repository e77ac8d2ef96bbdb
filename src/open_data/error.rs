use std::error::Error;
use std::fmt;

use http::StatusCode;

use crate::cause::Cause;
use crate::sessions::SessionKeyError;
use crate::store::StoreError;

/// Why a user's open data was not taken.
///
/// Its text says what to do, and is safe to send to the client; the cause behind it is for the log.
/// Neither holds a key or a word of the data.
#[derive(Clone, Debug)]
pub struct OpenDataError {
    kind: OpenDataErrorKind,
    cause: Cause,
}

/// The kinds of [`OpenDataError`]: one for each cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenDataErrorKind {
    /// `encryptedData` or `iv` is not base64, in none of the forms of the field.
    BadBase64,
    /// `iv` is not 16 bytes, or `encryptedData` not a positive multiple of 16.
    BadLength,
    /// No session_key of this user is kept: the last login was too long ago, or its platform has none.
    NoSessionKey,
    /// None of the user's keys opens it: another key, damaged data, or another app's. They look the same.
    Undecryptable,
    /// The watermark is genuine and older than the age that is allowed.
    Stale,
    /// The watermark is genuine and further ahead of the fleet's clock than is allowed.
    FromFuture,
    /// The data is genuine and not of the type that was asked for.
    WrongType,
    /// None of the user's keys has made this signature.
    BadSignature,
    /// The platform's session_keys are not 128 bits long, so it encrypts in another way.
    UnsupportedSessionKey,
    /// Other processes can read the store and nothing seals session_keys for it: set a `seal_key`.
    SessionKeysNotKept,
    /// The store is unavailable.
    StoreUnavailable,
}

impl OpenDataErrorKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::BadBase64,
        Self::BadLength,
        Self::NoSessionKey,
        Self::Undecryptable,
        Self::Stale,
        Self::FromFuture,
        Self::WrongType,
        Self::BadSignature,
        Self::UnsupportedSessionKey,
        Self::SessionKeysNotKept,
        Self::StoreUnavailable,
    ];

    /// The one table of what clients see.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        const CLIENT: StatusCode = StatusCode::BAD_REQUEST;
        const SERVER: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
        match self {
            Self::BadBase64 => (
                CLIENT,
                "bad_base64",
                "encryptedData or iv is not base64: send both as the platform gave them",
            ),
            Self::BadLength => (
                CLIENT,
                "bad_length",
                "encryptedData or iv is not whole: send both as the platform gave them",
            ),
            Self::NoSessionKey => (
                CLIENT,
                "no_session_key",
                "no session_key of this user: log in (wx.login) first, then fetch the data",
            ),
            Self::Undecryptable => (
                CLIENT,
                "undecryptable",
                "not encrypted with a session_key of this user: log in (wx.login) first, then fetch the data anew",
            ),
            Self::Stale => (
                CLIENT,
                "stale",
                "the data is too old: fetch it anew and send it at once",
            ),
            Self::FromFuture => (
                CLIENT,
                "from_future",
                "the data is from the future: the server's clock may be wrong",
            ),
            Self::WrongType => (
                CLIENT,
                "wrong_type",
                "the data is of another kind: send the kind that is asked for here",
            ),
            Self::BadSignature => (
                CLIENT,
                "bad_signature",
                "not signed with a session_key of this user: log in (wx.login) first, then fetch the data anew",
            ),
            Self::UnsupportedSessionKey => (
                CLIENT,
                "unsupported_session_key",
                "the platform's session_key is not a 128-bit key, so its data is encrypted in another way",
            ),
            Self::SessionKeysNotKept => (
                SERVER,
                "session_keys_not_kept",
                "session_keys are not kept on the server: its store is shared and there is no seal_key",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "session store unavailable: retry",
            ),
        }
    }

    /// The status to answer with: 400 for the client's faults, 500 and 503 for the server's.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// The `reason` to answer with, such as `undecryptable`: stable and machine-readable.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.row().1
    }

    /// What is wrong and what to do: a sentence for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().2
    }
}

impl OpenDataError {
    pub(super) fn caused_by(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Cause::new(source),
            ..self
        }
    }

    /// The kind, to match on.
    #[must_use]
    pub const fn kind(&self) -> OpenDataErrorKind {
        self.kind
    }

    /// The `reason` of its [kind](OpenDataErrorKind::reason).
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.kind.reason()
    }

    /// The status of its [kind](OpenDataErrorKind::status).
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }
}

impl From<OpenDataErrorKind> for OpenDataError {
    fn from(kind: OpenDataErrorKind) -> Self {
        Self {
            kind,
            cause: Cause::UNKNOWN,
        }
    }
}

impl From<StoreError> for OpenDataError {
    fn from(error: StoreError) -> Self {
        Self::from(OpenDataErrorKind::StoreUnavailable).caused_by(error)
    }
}

impl From<SessionKeyError> for OpenDataError {
    fn from(error: SessionKeyError) -> Self {
        let kind = match error {
            SessionKeyError::NotKept => OpenDataErrorKind::SessionKeysNotKept,
            SessionKeyError::Unavailable(_) => OpenDataErrorKind::StoreUnavailable,
        };
        Self::from(kind).caused_by(error)
    }
}

impl fmt::Display for OpenDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.message())
    }
}

impl Error for OpenDataError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_kind_has_a_reason_and_a_text_of_its_own() {
        let all = OpenDataErrorKind::ALL.iter();
        let reasons: HashSet<_> = all.clone().map(|kind| kind.reason()).collect();
        let messages: HashSet<_> = all.map(|kind| kind.message()).collect();
        assert_eq!(reasons.len(), OpenDataErrorKind::ALL.len());
        assert_eq!(messages.len(), OpenDataErrorKind::ALL.len());
    }

    #[test]
    fn the_guide_has_a_row_for_each_kind() {
        let guide = include_str!("../guide/open_data.md");
        let (_, guide) = guide.split_once("| `reason` | status |").unwrap();
        let rows = guide.lines().filter(|line| line.starts_with("| `"));
        let rows: Vec<_> = rows
            .map(|row| row.split(" | ").take(2).collect::<Vec<_>>().join(" "))
            .collect();
        let kinds = OpenDataErrorKind::ALL.iter();
        let expected: Vec<_> = kinds
            .map(|kind| format!("| `{}` {}", kind.reason(), kind.status().as_u16()))
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn only_the_server_s_faults_are_not_400() {
        let others = OpenDataErrorKind::ALL
            .iter()
            .filter(|kind| kind.status() != 400);
        let others: Vec<_> = others
            .map(|kind| (kind.reason(), kind.status().as_u16()))
            .collect();
        assert_eq!(
            others,
            [("session_keys_not_kept", 500), ("store_unavailable", 503),]
        );
    }
}
