//! What a login that takes over from a session does to it.

use std::time::Duration;

use super::fixture::Fixture;
use super::fresh::{id_of, neighbours};
use super::suite::{Kept, LONG, Suite};
use super::violation::{Outcome, Violation, ensure, ensure_eq};
use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{Insert, Retire, Revoke, RevokeReason};
use crate::token::SessionId;

pub(super) async fn the_session_taken_over_from_keeps_a_grace<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.long_session().await?;
    let earliest = suite.now().await?.after(suite.ticks(6));
    let new = take_over(suite, &old.user(), old.id, suite.ticks(6)).await?;
    let latest = suite.now().await?.after(suite.ticks(6));

    let record = suite.live(old.id).await?;
    ensure_eq!(record.successor, Some(new.id), "its successor");
    let Some(retires_at) = record.retires_at else {
        return Err(Violation::new("it is not retired"));
    };
    let in_time = (earliest..=latest).contains(&retires_at);
    ensure!(in_time, "its grace ends at another time than asked for");
    ensure_eq!(suite.listed(&old.user()).await?, [new.id], "the list");

    suite.live_before(old.id, retires_at).await?;
    suite.wait_until(retires_at).await?;
    suite.ended(old.id, EndReason::Replaced).await?;
    ensure_eq!(suite.live(new.id).await?, new.record, "the new record");
    Ok(())
}

pub(super) async fn another_user_s_session_is_left_alone<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let (mine, theirs) = neighbours()?;
    let other = suite.long_session_of(&theirs).await?;
    take_over(suite, &mine, other.id, Duration::ZERO).await?;
    ensure_eq!(suite.live(other.id).await?, other.record, "its record");
    Ok(())
}

pub(super) async fn an_ended_session_is_left_alone<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let revoked = suite.long_session().await?;
    let user = revoked.user();
    let revoke = Revoke::new(revoked.id, RevokeReason::KickedOut);
    suite.revoke(revoke).await?;
    take_over(suite, &user, revoked.id, LONG).await?;
    suite.ended(revoked.id, EndReason::KickedOut).await?;

    let idle = suite.session(&user, LONG, suite.ticks(8)).await?;
    suite.wait_until(idle.record.idle_deadline).await?;
    take_over(suite, &user, idle.id, LONG).await?;
    suite.ended(idle.id, EndReason::Idle).await
}

pub(super) async fn a_session_is_retired_once<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let old = suite.long_session().await?;
    take_over(suite, &old.user(), old.id, LONG).await?;
    let retired = suite.live(old.id).await?;
    take_over(suite, &old.user(), old.id, LONG * 2).await?;
    ensure_eq!(suite.live(old.id).await?, retired, "its record");
    Ok(())
}

async fn take_over<F: Fixture>(
    suite: &Suite<'_, F>,
    user: &Identity,
    old: SessionId,
    grace: Duration,
) -> Outcome<Kept> {
    let id = id_of(user)?;
    let record = Record::issued(user.clone(), suite.now().await?, LONG, LONG, None);
    let mut insert = Insert::new(id, record.clone());
    insert.retire = Some(Retire::new(old, grace));
    suite.keep(insert, &[]).await?;
    Ok(Kept { id, record })
}
