//! A use of a session, and what it means if it could not be written with others.

use std::sync::Arc;

use tokio::time::sleep;

use super::database::{AGAIN_AFTER, Change, Database};
use super::rows::Found;
use crate::backend::stored::Stored;
use crate::session::Touch;
use crate::store::StoreError;
use crate::time::Timestamp;

/// The session's new deadline, if it takes the use in.
pub(super) async fn touch(
    database: &Arc<Database>,
    touch: &Touch,
) -> Result<Option<Timestamp>, StoreError> {
    match database.touch(*touch).await {
        Ok(Some(deadline)) => return Ok(Some(deadline)),
        Ok(None) => {}
        // A session that is over is over, whether that can be written or not.
        Err(error) if error.is_unwritten() => {}
        Err(error) => return Err(error),
    }
    loop {
        let Found { now, version } = database.load(touch.id).await?;
        let Some(version) = version else {
            return Ok(None);
        };
        let Stored::Kept(recorded) = version.stored? else {
            return Ok(None);
        };
        let mut record = recorded.clone();
        let deadline = record.touch(touch, now);
        if record == recorded {
            return Ok(deadline);
        }
        let change = Change {
            written: (touch.id, Stored::Kept(record), version.revision),
            announced: Vec::new(),
        };
        if database.change(change).await? {
            return Ok(deadline);
        }
        sleep(AGAIN_AFTER).await;
    }
}
