//! That users have a list of their own, and nothing to do with each other.

use super::fixture::Fixture;
use super::fresh::{id_of, neighbours, user};
use super::suite::{LONG, Suite};
use super::violation::{Outcome, ensure_eq};
use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{Insert, Revoke, RevokeReason, SessionStore};

pub(super) async fn the_list_is_oldest_first_and_live_only<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let user = user()?;
    let start = suite.now().await?;
    let mut current = Vec::new();
    for age in [3, 1, 2, 0] {
        let issued_at = start.after(suite.ticks(age));
        let record = Record::issued(user.clone(), issued_at, LONG, LONG, None);
        let id = id_of(&user)?;
        suite.keep(Insert::new(id, record.clone()), &[]).await?;
        current.push((id, record));
    }
    let revoked = suite.long_session_of(&user).await?;
    let revoke = Revoke::new(revoked.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let expired = suite.session(&user, suite.ticks(4), LONG).await?;
    let idle = suite.session(&user, LONG, suite.ticks(4)).await?;
    let (retired, _) = current.remove(0);
    let new = suite.rotated(retired, LONG).await?;
    current.push((new.id, new.record));
    let over = expired.record.end().max(idle.record.end());
    suite.wait_until(over).await?;

    current.sort_by_key(|(_, record)| record.issued_at);
    ensure_eq!(suite.store.list(user).await?, current, "the list");
    Ok(())
}

pub(super) async fn the_same_openid_in_another_app_is_another_user<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let one = user()?;
    let other = Identity::new("wx-conformance-2", one.openid());
    are_apart(suite, &one, &other).await?;
    // Where one name ends and the other begins matters too.
    let (appid, openid) = (one.appid(), one.openid());
    let shifted = Identity::new(format!("{appid}{}", &openid[..1]), &openid[1..]);
    are_apart(suite, &one, &shifted).await
}

pub(super) async fn users_who_share_a_bucket_are_apart<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let (one, other) = neighbours()?;
    are_apart(suite, &one, &other).await
}

async fn are_apart<F: Fixture>(suite: &Suite<'_, F>, one: &Identity, other: &Identity) -> Outcome {
    let mine = suite.long_session_of(one).await?;
    let theirs = suite.long_session_of(other).await?;
    let now = suite.now().await?;
    let mut insert = Insert::new(
        id_of(one)?,
        Record::issued(one.clone(), now, LONG, LONG, None),
    );
    insert.cap = Some(1);
    let newest = insert.id;
    suite.keep(insert, &[mine.id]).await?;
    ensure_eq!(suite.listed(one).await?, [newest], "one user's list");
    ensure_eq!(suite.listed(other).await?, [theirs.id], "the other's list");

    let revoked = suite.revoke(Revoke::new(one, RevokeReason::KickedOut));
    ensure_eq!(revoked.await?, [newest], "the answer");
    suite.ended(newest, EndReason::KickedOut).await?;
    ensure_eq!(
        suite.live(theirs.id).await?,
        theirs.record,
        "the other's record"
    );
    Ok(())
}
