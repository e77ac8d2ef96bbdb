use super::tombstones::Shadow;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{EndReason, Session};
use crate::store::StoreError;

/// What reading a session came to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Live(Session),
    Gone(Gone),
    /// The store was unavailable, or the record unreadable.
    Failed(StoreError),
}

/// Why a token stands for no live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    Ended(EndReason),
    NeverSeen,
}

impl From<Shadow> for Answer {
    fn from(shadow: Shadow) -> Self {
        match shadow {
            Shadow::Ended(reason) => Self::Gone(Gone::Ended(reason)),
            Shadow::Unsure => Self::Failed(StoreError::unavailable(
                "a revocation of the user's other sessions is under way",
            )),
        }
    }
}

impl From<Gone> for RejectionKind {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Ended(reason) => reason.into(),
            Gone::NeverSeen => Self::SessionUnknown,
        }
    }
}

impl From<Gone> for Rejection {
    fn from(gone: Gone) -> Self {
        RejectionKind::from(gone).into()
    }
}
