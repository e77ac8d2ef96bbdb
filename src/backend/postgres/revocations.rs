//! Ends of sessions: of one by itself where nothing else is concerned, of all others with a lock on the user.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::database::{AGAIN_AFTER, Change, Database};
use super::ends::End;
use super::locked::Concerned;
use super::rows::Found;
use crate::backend::stored::Stored;
use crate::store::{Revoke, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// For how long it is kept why a session whose record was damaged was revoked: the longest that sessions
/// last by default.
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Ends sessions, and returns those that were not over.
pub(super) async fn revoke(
    database: &Arc<Database>,
    revoke: &Revoke,
) -> Result<Vec<SessionId>, StoreError> {
    if let Some(id) = revoke.target.session()
        && let Some(revoked) = revoke_single(database, id, revoke).await?
    {
        return Ok(revoked);
    }
    revoke_locked(database, revoke).await
}

/// Ends one session, together with whoever ends others; `None` if that takes a look at the user's others,
/// or it is not there.
async fn revoke_single(
    database: &Arc<Database>,
    id: SessionId,
    revoke: &Revoke,
) -> Result<Option<Vec<SessionId>>, StoreError> {
    loop {
        let ended = database.end(End::new(id, revoke)).await;
        match ended {
            Ok(true) => return Ok(Some(vec![id])),
            // What is over already is over, whether that can be written or not.
            Err(error) if !error.is_unwritten() => return Err(error),
            _ => {}
        }
        let Found { now, version } = database.load(id).await?;
        match version.map(|version| (version.stored, version.revision)) {
            Some((Ok(Stored::Revoked { .. }), _)) => return Ok(Some(Vec::new())),
            found => {
                ended?;
                let Some((Err(_), revision)) = found else {
                    return Ok(None);
                };
                // Of a damaged record nothing can be decided with a lock either.
                if end_damaged(database, id, now, revision, revoke).await? {
                    return Ok(Some(vec![id]));
                }
            }
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// Puts the reason in the place of a damaged record; `false` if somebody else changes it at the same time.
async fn end_damaged(
    database: &Arc<Database>,
    id: SessionId,
    now: Timestamp,
    revision: i32,
    revoke: &Revoke,
) -> Result<bool, StoreError> {
    let stored = Stored::Revoked {
        reason: revoke.reason.into(),
        at: now,
        // Nobody can say any longer when it would have ended.
        until: now.after(MONTH),
    };
    let change = Change {
        written: (id, stored, revision),
        announced: vec![id],
    };
    database.change(change).await
}

/// Ends sessions while nobody else changes what the user has.
async fn revoke_locked(database: &Database, revoke: &Revoke) -> Result<Vec<SessionId>, StoreError> {
    let target = revoke.target.session();
    let concerned = Concerned {
        bucket: revoke.target.bucket(),
        ids: target.as_slice(),
        user: revoke.target.user(),
    };
    database
        .decide(concerned, |ledger| ledger.revoke(revoke))
        .await
}
