use super::tombstones::Buried;
use crate::session::{EndReason, Session};
use crate::store::{StoreError, StoreErrorKind};

/// What asking the store came to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Live(Session),
    Gone(Gone),
    /// The store could not tell.
    Failed(StoreError),
}

/// Why a token stands for no live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    Ended(EndReason),
    NeverSeen,
}

impl From<Buried> for Answer {
    fn from(buried: Buried) -> Self {
        match buried {
            Buried::Ended(reason) => Self::Gone(Gone::Ended(reason)),
            Buried::Perhaps => Self::Failed(
                StoreError::new(StoreErrorKind::Unavailable)
                    .caused_by("a revocation of the user's other sessions is under way"),
            ),
        }
    }
}
