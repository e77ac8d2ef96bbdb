//! Whether a server can be a store, as the URL has it.

use std::time::Duration;

use redis::{RedisError, Value};
use tokio::time::timeout;

use super::advice::{Stage, advice};
use super::connection::Connection;
use super::fault::failed;
use super::settings::Settings;
use crate::store::StoreError;

/// The longest that it takes.
const EXAMINED_WITHIN: Duration = Duration::from_secs(1);
/// The name of a script that no server has.
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";

/// Fails where a server lacks what the store cannot do without, and says what to do.
///
/// Otherwise only some operations would fail: whatever runs a script, or, at one server of a Cluster,
/// whatever concerns a user whose slot is elsewhere.
pub(super) async fn examine(
    connection: &Connection,
    settings: &Settings,
) -> Result<(), StoreError> {
    let at = Stage::Server(connection.address());
    let answers = timeout(EXAMINED_WITHIN, connection.query_all(&trials(settings))).await;
    let answers = answers.map_err(StoreError::unavailable)?;
    for answer in answers.map_err(|error| failed(error, at, settings))? {
        if let Value::ServerError(refused) = answer {
            let refused = RedisError::from(refused);
            // Anything else is over soon, or that the script is not there, as it should be.
            if advice(&refused, at, settings).is_some() {
                return Err(failed(refused, at, settings));
            }
        }
    }
    Ok(())
}

fn trials(settings: &Settings) -> redis::Pipeline {
    let mut trials = redis::pipe();
    trials.ignore_errors();
    // Not with what scripts are given: a server that has no such command repeats its arguments.
    trials.cmd("EVALSHA").arg(NO_SCRIPT).arg(0);
    trials.cmd("EVAL").arg("return 1").arg(0);
    if !settings.location.is_cluster() {
        // One key in each quarter of a Cluster's slots.
        for key in settings.keys.copies_of_tag_keys() {
            trials.cmd("EXISTS").arg(key);
        }
    }
    trials
}
