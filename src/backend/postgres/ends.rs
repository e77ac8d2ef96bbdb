//! Ends of single sessions: those that come while others are under way are one statement, and one wait for the
//! database's only queue of announcements.

use tokio_postgres::types::Type;

use super::columns::Time;
use super::connection::Parameter;
use super::connections::Connections;
use super::firsts::Firsts;
use super::pipeline::Pipeline;
use super::statements::Statements;
use crate::backend::wire::message;
use crate::backend::wire::reason::name;
use crate::store::{Revoke, RevokeReason, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// The end of one session.
#[derive(Clone, Copy)]
pub(super) struct End {
    id: SessionId,
    reason: RevokeReason,
    issued_by: Option<Timestamp>,
}

impl End {
    pub(super) const fn new(id: SessionId, revoke: &Revoke) -> Self {
        Self {
            id,
            reason: revoke.reason,
            issued_by: revoke.issued_by,
        }
    }
}

/// Ends to write, as the columns of `END`.
#[derive(Default)]
struct Ends {
    ids: Vec<String>,
    reasons: Vec<&'static str>,
    issued_by: Vec<Option<Time>>,
}

impl Ends {
    fn push(&mut self, end: &End) {
        self.ids.push(end.id.to_string());
        self.reasons.push(name(end.reason.into()));
        self.issued_by.push(end.issued_by.map(Time));
    }
}

/// Whether each end was written. It was not if there is nothing to end, if another session has taken its
/// place, which is to end with it, or if somebody has it locked.
pub(super) async fn write(
    connections: &Connections,
    statements: &Statements,
    asked: Vec<End>,
) -> Result<Vec<bool>, StoreError> {
    // Of two that end a session one has done it.
    let asked = Firsts::of(asked, |end| end.id);
    let mut ends = Ends::default();
    asked.iter().for_each(|end| ends.push(end));
    let channel = connections.primary.settings.names.channel();
    let before_names = message::text(&[]);
    let parameters: [Parameter<'_>; 5] = [
        (&ends.ids, Type::TEXT_ARRAY),
        (&ends.reasons, Type::TEXT_ARRAY),
        (&ends.issued_by, Type::TIMESTAMPTZ_ARRAY),
        (&channel, Type::TEXT),
        (&before_names, Type::TEXT),
    ];
    let steps = Pipeline::begin().then(&statements.end, &parameters);
    let answers = connections.write_together(steps.commit()).await?;
    let names = answers.iter().flatten().next();
    let names: Vec<&str> = names
        .map(|row| row.try_get(0).unwrap_or_default())
        .unwrap_or_default();
    Ok(asked.answers(|end| names.contains(&&*end.id.to_string())))
}
