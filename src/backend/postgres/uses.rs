//! Uses of sessions: those that come while others are under way are one statement.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use super::columns::{Span, Time};
use super::connection::Parameter;
use super::connections::Connections;
use super::firsts::Firsts;
use super::pipeline::Pipeline;
use super::statements::Statements;
use crate::session::Touch;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Uses to write, as the columns of `TOUCH`.
#[derive(Default)]
struct Uses {
    ids: Vec<String>,
    since: Vec<Time>,
    used_at: Vec<Time>,
    slack: Vec<Span>,
}

impl Uses {
    fn push(&mut self, touch: &Touch) {
        self.ids.push(touch.id.to_string());
        self.since.push(Time(touch.since));
        self.used_at.push(Time(touch.used_at));
        self.slack.push(Span(touch.slack));
    }

    fn parameters(&self) -> [Parameter<'_>; 4] {
        [
            (&self.ids, Type::TEXT_ARRAY),
            (&self.since, Type::TIMESTAMPTZ_ARRAY),
            (&self.used_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.slack, Type::INTERVAL_ARRAY),
        ]
    }
}

/// Of each use the new deadline of its session; `None` if it was not written: it is covered, it comes too
/// late, or somebody has the session locked.
pub(super) async fn write(
    connections: &Connections,
    statements: &Statements,
    touches: Vec<Touch>,
) -> Result<Vec<Option<Timestamp>>, StoreError> {
    // The second of two uses is most likely covered by the first.
    let touches = Firsts::of(touches, |touch| touch.id);
    let mut uses = Uses::default();
    touches.iter().for_each(|touch| uses.push(touch));
    let parameters = uses.parameters();
    let steps = Pipeline::begin().then(&statements.touch, &parameters);
    let answers = connections.write_together(steps.commit()).await?;
    let written: HashMap<&str, Time> = answers
        .iter()
        .flatten()
        .filter_map(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?)))
        .collect();
    let deadline = |touch: &Touch| written.get(&*touch.id.to_string()).map(|time| time.0);
    Ok(touches.answers(deadline))
}
