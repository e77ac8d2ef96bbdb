use std::time::Duration;

/// What becomes of sessions that a node knows while the store is unavailable.
///
/// Sessions that it does not know are answered 503 in any case, and so are logins.
///
/// Whatever is answered, a request with a session that this node knows counts as its use, so that
/// nobody is idle because of an outage: the store takes in the uses when it is back, up to
/// [`Record::kept_until`](crate::store::Record::kept_until). While it answers reads and takes no
/// writes, a session in use without a gap on this node passes if the store says that it was not
/// revoked. A node writes the uses of 65 536 sessions at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutagePolicy {
    /// They are answered 503 as soon as they would have to be confirmed: no revocation made
    /// elsewhere is missed for longer than `fresh_for_without_link`.
    Strict,
    /// They pass until this long after their own last confirmation, however often the store comes
    /// and goes meanwhile: an outage logs nobody out, and a revocation made elsewhere during it may
    /// be missed for as long.
    ServeKnown(Duration),
}

impl OutagePolicy {
    pub(crate) const fn grace(self) -> Duration {
        match self {
            Self::Strict => Duration::ZERO,
            Self::ServeKnown(grace) => grace,
        }
    }
}

impl Default for OutagePolicy {
    /// Known sessions pass for 60 seconds.
    fn default() -> Self {
        Self::ServeKnown(Duration::from_secs(60))
    }
}
