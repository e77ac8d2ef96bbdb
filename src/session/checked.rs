use super::Session;
use crate::rejection::Rejection;
use crate::token::{Fingerprint, SessionId, Token};

/// What a node can say of a presented text by itself.
// With a tag of its own: else that is two words of a fingerprint, which a hit would write one at a time
// and read as one, and wait.
#[repr(u64)]
pub(crate) enum Checked {
    Decided(Result<Session, Rejection>),
    /// Too little is known of the session: it has to be read.
    Unread(Unread),
}

/// A session that has to be read.
pub(crate) struct Unread {
    pub(crate) id: SessionId,
    /// What it is found by once it is read.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Its token, if the tag was made with a key that this node does not know. Boxed, because that is rare.
    pub(crate) unjudged: Option<Box<Token>>,
}
