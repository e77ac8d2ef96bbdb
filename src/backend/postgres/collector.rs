//! Deletes what nobody can read any more, a little at a time.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::columns::Time;
use super::connections::Connections;
use super::fault::failed;
use super::locks::COLLECTOR;
use super::pipeline::Pipeline;
use super::statements::Statements;
use crate::random::share_of;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Rows that go together.
const STEP: i64 = 1000;
/// The longest that a step takes: behind that the server hangs, and another one may be the primary.
const STEP_WITHIN: Duration = Duration::from_secs(10);
/// How long nothing is looked for when nothing is due.
const PAUSE: Duration = Duration::from_secs(10);

/// Deletes for as long as the store lives, in turns with the stores of other processes.
pub(super) async fn collect(connections: Weak<Connections>, statements: Statements) {
    // Not all processes of a fleet at the same time.
    let mut pause = share_of(Duration::from_secs(1));
    loop {
        sleep(pause).await;
        pause = PAUSE / 2 + share_of(PAUSE);
        for delete in [&statements.delete_sessions, &statements.delete_session_keys] {
            // What cannot be deleted now is the next time; operations say what is wrong.
            let _ = delete_all(&connections, delete).await;
        }
        if connections.strong_count() == 0 {
            return;
        }
    }
}

/// Deletes what is due, in steps with pauses as long, so that the server has time for others.
async fn delete_all(connections: &Weak<Connections>, delete: &str) -> Result<(), StoreError> {
    let mut behind = Timestamp::default();
    while let Some(connections) = connections.upgrade() {
        let start = Instant::now();
        let step = timeout(STEP_WITHIN, step(&connections, delete, behind)).await;
        let (deleted, last) = step.map_err(StoreError::unavailable)??;
        if deleted < STEP {
            break;
        }
        behind = last.unwrap_or(behind);
        drop(connections);
        sleep(start.elapsed()).await;
    }
    Ok(())
}

/// How many rows one step has deleted, and until when the last of them was kept.
async fn step(
    connections: &Connections,
    delete: &str,
    behind: Timestamp,
) -> Result<(i64, Option<Timestamp>), StoreError> {
    let space = connections.primary.settings.names.lock_space();
    let parameters = [
        (&space as _, Type::INT4),
        (&COLLECTOR as _, Type::INT4),
        (&Time(behind) as _, Type::TIMESTAMPTZ),
        (&STEP as _, Type::INT8),
    ];
    let steps = Pipeline::begin().then(delete, &parameters);
    let answers = connections.write(steps.commit(), failed).await?;
    let row = answers.first().and_then(|rows| rows.first());
    Ok(row.map_or((0, None), read))
}

fn read(row: &Row) -> (i64, Option<Timestamp>) {
    let last: Option<Time> = row.try_get(1).unwrap_or_default();
    (row.try_get(0).unwrap_or_default(), last.map(|last| last.0))
}
