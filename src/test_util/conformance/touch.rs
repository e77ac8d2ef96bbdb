//! Which uses count, and what they move.

use super::fixture::Fixture;
use super::fresh::{id_of, user};
use super::suite::{LONG, Suite};
use super::violation::{Outcome, ensure, ensure_eq};
use crate::session::{EndReason, Touch};
use crate::store::{Revoke, RevokeReason};
use crate::time::Timestamp;

pub(super) async fn a_touch_moves_the_idle_deadline<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let idle_timeout = suite.ticks(8);
    let session = suite.session(&user()?, LONG, idle_timeout).await?;
    let used_at = session.record.issued_at.after(suite.ticks(4));
    suite.wait_until(used_at).await?;
    let slack = suite.ticks(2);
    let told = suite.touch(Touch::new(session.id, used_at, slack)).await?;
    let deadline = used_at.after(idle_timeout).after(slack);
    ensure_eq!(told, Some(deadline), "the answer to a touch");

    let record = suite.live(session.id).await?;
    ensure_eq!(record.idle_deadline, deadline, "the deadline");
    ensure_eq!(record.last_used, Some(used_at), "the last use");
    ensure_eq!(record.absolute_end, session.record.absolute_end, "the end");
    suite.live_before(session.id, deadline).await?;
    suite.wait_until(deadline).await?;
    suite.ended(session.id, EndReason::Idle).await
}

pub(super) async fn an_older_touch_changes_nothing<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let session = suite.long_session().await?;
    let start = session.record.issued_at;
    let later = Touch::new(session.id, start.after(suite.ticks(5)), suite.ticks(1));
    let earlier = Touch::new(session.id, start.after(suite.ticks(2)), suite.ticks(1));
    // Both are in the past: a store takes in no use before it has happened.
    suite.wait_until(later.used_at).await?;
    suite.touch(later).await?;
    let record = suite.live(session.id).await?;
    let told = suite.touch(earlier).await?;
    ensure_eq!(told, Some(record.idle_deadline), "an older touch");
    ensure_eq!(suite.live(session.id).await?, record, "the record");
    Ok(())
}

/// Every node that serves a session tells of its uses: one of them is enough for the slack.
pub(super) async fn a_touch_that_is_covered_changes_nothing<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite.long_session().await?;
    let start = session.record.issued_at;
    let (first, slack) = (start.after(suite.ticks(1)), suite.ticks(4));
    let (covered, later) = (first.after(suite.ticks(2)), first.after(slack));
    suite.wait_until(later).await?;
    let deadline = suite.touch(Touch::new(session.id, first, slack)).await?;
    let record = suite.live(session.id).await?;
    let told = suite.touch(Touch::new(session.id, covered, slack)).await?;
    ensure_eq!(told, deadline, "the deadline after a touch that is covered");
    ensure_eq!(suite.live(session.id).await?, record, "the record");

    let told = suite.touch(Touch::new(session.id, later, slack)).await?;
    ensure!(told > deadline, "a touch that is not covered moves nothing");
    Ok(())
}

/// The node would tell of each use from then on until the store's clock has caught up.
pub(super) async fn a_touch_from_a_clock_that_is_ahead_is_not_taken_for_covered<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite.long_session().await?;
    let (first, slack) = (
        session.record.issued_at.after(suite.ticks(1)),
        suite.ticks(4),
    );
    suite.wait_until(first).await?;
    let deadline = suite.touch(Touch::new(session.id, first, slack)).await?;
    suite.wait_until(first.after(suite.ticks(3))).await?;
    let ahead = Touch::new(session.id, first.after(slack), slack);
    let told = suite.touch(ahead).await?;
    ensure!(told > deadline, "a touch that is ahead moves nothing");
    let latest = ahead
        .used_at
        .after(session.record.idle_timeout)
        .after(slack);
    ensure!(told <= Some(latest), "a touch that is ahead moves too much");
    Ok(())
}

pub(super) async fn a_late_touch_counts<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let idle_timeout = suite.ticks(10);
    let session = suite.session(&user()?, LONG, idle_timeout).await?;
    let deadline = session.record.idle_deadline;
    suite.wait_until(deadline.after(suite.ticks(2))).await?;
    suite.ended(session.id, EndReason::Idle).await?;

    let told = suite.touch(Touch::new(session.id, deadline, LONG)).await?;
    let moved = deadline.after(idle_timeout).after(LONG);
    ensure_eq!(told, Some(moved), "a touch from the deadline itself");
    let record = suite.live(session.id).await?;
    ensure_eq!(record.idle_deadline, moved, "the deadline");
    ensure_eq!(
        suite.listed(&session.user()).await?,
        [session.id],
        "the list"
    );
    Ok(())
}

pub(super) async fn a_use_after_the_deadline_does_not_count<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite.session(&user()?, LONG, suite.ticks(10)).await?;
    let deadline = session.record.idle_deadline;
    suite.wait_until(deadline.after(suite.ticks(2))).await?;
    let used_at = Timestamp::from_millis(deadline.as_millis() + 1);
    let told = suite.touch(Touch::new(session.id, used_at, LONG)).await?;
    ensure_eq!(told, None, "a touch from after the deadline");
    suite.ended(session.id, EndReason::Idle).await
}

/// Where it could not be written for a while, a store hears of the first and the last use at once.
pub(super) async fn uses_without_a_gap_count_from_the_first<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let idle_timeout = suite.ticks(6);
    let session = suite.session(&user()?, LONG, idle_timeout).await?;
    let deadline = session.record.idle_deadline;
    let last = deadline.after(suite.ticks(3));
    suite.wait_until(last).await?;
    let touch = Touch::new(session.id, last, LONG).in_use_since(deadline);
    let moved = last.after(idle_timeout).after(LONG);
    ensure_eq!(suite.touch(touch).await?, Some(moved), "a touch of both");
    let record = suite.live(session.id).await?;
    ensure_eq!(record.idle_deadline, moved, "the deadline");
    ensure_eq!(record.last_used, Some(last), "the last use");
    Ok(())
}

pub(super) async fn uses_after_the_deadline_do_not_count<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite.session(&user()?, LONG, suite.ticks(6)).await?;
    let deadline = session.record.idle_deadline;
    let last = deadline.after(suite.ticks(3));
    suite.wait_until(last).await?;
    let first = Timestamp::from_millis(deadline.as_millis() + 1);
    let touch = Touch::new(session.id, last, LONG).in_use_since(first);
    ensure_eq!(suite.touch(touch).await?, None, "a touch after a gap");
    suite.ended(session.id, EndReason::Idle).await
}

/// It was in use, and nobody could tell the store for longer than that remembers an end.
pub(super) async fn a_touch_counts_when_the_end_is_forgotten<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let idle_timeout = suite.ticks(4);
    let session = suite.session(&user()?, LONG, idle_timeout).await?;
    let deadline = session.record.idle_deadline;
    let last = session.record.remembered_until().after(suite.ticks(2));
    suite.wait_until(last).await?;
    suite.never_seen(session.id).await?;
    let touch = Touch::new(session.id, last, LONG).in_use_since(deadline);
    let moved = last.after(idle_timeout).after(LONG);
    ensure_eq!(suite.touch(touch).await?, Some(moved), "a touch of it");
    suite.live(session.id).await?;
    ensure_eq!(
        suite.listed(&session.user()).await?,
        [session.id],
        "the list"
    );
    Ok(())
}

pub(super) async fn a_touch_never_creates<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let user = user()?;
    let id = id_of(&user)?;
    let touch = Touch::new(id, suite.now().await?, LONG);
    ensure_eq!(suite.touch(touch).await?, None, "a touch of nothing");
    suite.never_seen(id).await?;
    ensure_eq!(suite.listed(&user).await?, [], "the list");
    Ok(())
}

pub(super) async fn a_touch_never_revives_what_was_revoked<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite.long_session().await?;
    let touch = Touch::new(session.id, session.record.issued_at, LONG);
    let revoke = Revoke::new(session.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    ensure_eq!(suite.touch(touch).await?, None, "a touch after the end");
    suite.ended(session.id, EndReason::LoggedOut).await?;
    ensure_eq!(suite.listed(&session.user()).await?, [], "the list");
    Ok(())
}
