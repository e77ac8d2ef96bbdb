use std::sync::Arc;

use super::Record;
use crate::time::Timestamp;
use crate::token::SessionId;

/// What most sessions do not have, in a place of its own: the application's data, and what there is
/// of a session that another one has replaced.
#[derive(Clone, Debug)]
pub(crate) struct Unusual {
    pub(super) data: Option<Arc<str>>,
    pub(super) retires_at: Option<Timestamp>,
    pub(super) absolute_end: Timestamp,
    pub(super) successor: Option<SessionId>,
}

impl Unusual {
    /// `None` if a record has nothing of it. Then its hard end is its absolute one.
    pub(super) fn of(record: &Record) -> Option<Box<Self>> {
        let has_any =
            record.data.is_some() || record.retires_at.is_some() || record.successor.is_some();
        has_any.then(|| {
            Box::new(Self {
                data: record.data.clone(),
                retires_at: record.retires_at,
                absolute_end: record.absolute_end,
                successor: record.successor,
            })
        })
    }
}
