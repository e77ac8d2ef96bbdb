//! When a session ends by itself, why, and for how long that is known.

use std::time::Duration;

use super::fixture::Fixture;
use super::fresh::{id_of, user};
use super::suite::{LONG, Suite};
use super::violation::{Outcome, ensure, ensure_eq};
use crate::session::{EndReason, Touch};
use crate::store::{Revoke, RevokeReason, Rotate, Rotated, SessionStore};

pub(super) async fn an_unknown_session_stays_unknown<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let user = user()?;
    let (id, new) = (id_of(&user)?, id_of(&user)?);
    suite.never_seen(id).await?;
    let rotated = suite.store.rotate(Rotate::new(id, new, LONG)).await?;
    ensure_eq!(rotated, Rotated::NeverSeen, "a rotation");
    let revoked = suite.revoke(Revoke::new(id, RevokeReason::LoggedOut));
    ensure_eq!(revoked.await?, [], "what a revocation ends");
    let revoked = suite.revoke(Revoke::new(&user, RevokeReason::LoggedOut));
    ensure_eq!(revoked.await?, [], "what revoking its user ends");
    ensure_eq!(suite.listed(&user).await?, [], "its user's list");
    suite.never_seen(id).await?;
    suite.never_seen(new).await
}

pub(super) async fn a_session_never_used_ends_at_its_idle_timeout<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite.session(&user()?, LONG, suite.ticks(8)).await?;
    suite
        .live_before(session.id, session.record.idle_deadline)
        .await?;
    suite.wait_until(session.record.idle_deadline).await?;
    suite.ended(session.id, EndReason::Idle).await
}

pub(super) async fn the_absolute_end_is_never_moved<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let session = suite
        .session(&user()?, suite.ticks(10), suite.ticks(8))
        .await?;
    let start = session.record.issued_at;
    for used in [2, 5, 8] {
        let used_at = start.after(suite.ticks(used));
        suite.wait_until(used_at).await?;
        suite.touch(Touch::new(session.id, used_at, LONG)).await?;
    }
    let end = start.after(suite.ticks(10));
    suite.live_before(session.id, end).await?;
    suite.wait_until(end).await?;
    suite.touch(Touch::new(session.id, end, LONG)).await?;
    suite.ended(session.id, EndReason::Expired).await
}

pub(super) async fn an_idle_session_keeps_its_reason_for_one_idle_timeout<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    keeps_its_reason(suite, EndReason::Idle, LONG, suite.ticks(8)).await
}

pub(super) async fn an_expired_session_keeps_its_reason_for_one_idle_timeout<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    keeps_its_reason(suite, EndReason::Expired, suite.ticks(6), suite.ticks(8)).await
}

async fn keeps_its_reason<F: Fixture>(
    suite: &Suite<'_, F>,
    reason: EndReason,
    lifetime: Duration,
    idle_timeout: Duration,
) -> Outcome {
    let session = suite.session(&user()?, lifetime, idle_timeout).await?;
    let (end, forgotten) = (session.record.end(), session.record.remembered_until());
    suite
        .ended_between(session.id, reason, (end, forgotten))
        .await?;
    suite.wait_until(forgotten).await?;
    suite.never_seen(session.id).await
}

pub(super) async fn a_replaced_session_keeps_its_reason_for_one_idle_timeout<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.session(&user()?, LONG, suite.ticks(12)).await?;
    suite.rotated(old.id, suite.ticks(4)).await?;
    let record = suite.live(old.id).await?;
    let span = (record.end(), record.remembered_until());
    suite
        .ended_between(old.id, EndReason::Replaced, span)
        .await?;
    suite.wait_until(span.1).await?;
    suite.never_seen(old.id).await
}

pub(super) async fn what_is_forgotten_stays_forgotten<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    // The end that no use moves is near, so that no late touch is waited for.
    let session = suite
        .session(&user()?, suite.ticks(6), suite.ticks(4))
        .await?;
    suite.wait_until(session.record.kept_until()).await?;
    // In this order: what looks at the session first must not depend on a look before.
    let touch = Touch::new(session.id, session.record.issued_at, LONG);
    ensure_eq!(suite.touch(touch).await?, None, "a touch");
    let revoked = suite.revoke(Revoke::new(session.id, RevokeReason::LoggedOut));
    ensure_eq!(revoked.await?, [], "what a revocation ends");
    let new = id_of(&session.user())?;
    let rotated = suite.store.rotate(Rotate::new(session.id, new, LONG));
    ensure_eq!(rotated.await?, Rotated::NeverSeen, "a rotation");
    suite.never_seen(session.id).await
}

pub(super) async fn the_absolute_end_outweighs_the_idle_one<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite
        .session(&user()?, suite.ticks(12), suite.ticks(8))
        .await?;
    let record = &session.record;
    let idle = (record.idle_deadline, record.absolute_end);
    suite
        .ended_between(session.id, EndReason::Idle, idle)
        .await?;
    let both = (record.absolute_end, record.remembered_until());
    suite
        .ended_between(session.id, EndReason::Expired, both)
        .await
}

pub(super) async fn a_replacement_outweighs_the_absolute_end<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite
        .session(&user()?, suite.ticks(8), suite.ticks(8))
        .await?;
    suite.rotated(old.id, suite.ticks(3)).await?;
    suite.wait_until(old.record.absolute_end).await?;
    suite.ended(old.id, EndReason::Replaced).await
}

pub(super) async fn a_revocation_outweighs_every_end<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let session = suite
        .session(&user()?, suite.ticks(20), suite.ticks(4))
        .await?;
    suite.rotated(session.id, suite.ticks(2)).await?;
    let revoke = Revoke::new(session.id, RevokeReason::KickedOut);
    suite.revoke(revoke).await?;
    let span = (session.record.idle_deadline, session.record.absolute_end);
    suite
        .ended_between(session.id, EndReason::KickedOut, span)
        .await
}

pub(super) async fn the_store_s_time_moves_forward<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let start = suite.now().await?;
    suite.wait_until(start.after(suite.ticks(3))).await?;
    let passed = suite.now().await?.since(start);
    ensure!(passed >= suite.ticks(3), "only {passed:?} have passed");
    Ok(())
}
