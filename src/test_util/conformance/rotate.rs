//! What a rotation keeps, and what becomes of the old session.

use super::concurrency::together;
use super::fixture::Fixture;
use super::fresh::{id_of, sibling, user};
use super::suite::{LONG, Suite, sorted};
use super::violation::{Outcome, Violation, ensure, ensure_eq};
use crate::session::{EndReason, Record, Touch};
use crate::store::{Insert, Retire, Revoke, RevokeReason, Rotate, Rotated, SessionStore};
use crate::token::SessionId;

pub(super) async fn a_rotation_keeps_the_login<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let user = user()?.with_unionid("unionid");
    let (id, now) = (id_of(&user)?, suite.now().await?);
    let record = Record::issued(user, now, LONG, LONG, Some("[1]".into()));
    suite.keep(Insert::new(id, record.clone()), &[]).await?;
    suite.wait_until(now.after(suite.ticks(2))).await?;

    let new = suite.rotated(id, LONG).await?;
    ensure_eq!(suite.live(new.id).await?, new.record, "the answer");
    let Record {
        identity,
        issued_at,
        absolute_end,
        idle_timeout,
        retires_at,
        successor,
        data,
        ..
    } = new.record;
    ensure_eq!(identity, record.identity, "the user");
    ensure_eq!(identity.unionid(), Some("unionid"), "the unionid");
    ensure_eq!(issued_at, record.issued_at, "the time of the login");
    ensure_eq!(absolute_end, record.absolute_end, "the absolute end");
    ensure_eq!(idle_timeout, record.idle_timeout, "the idle timeout");
    ensure_eq!(data, record.data, "the data");
    ensure_eq!((retires_at, successor), (None, None), "its own retirement");
    Ok(())
}

pub(super) async fn a_rotation_gives_a_new_idle_deadline<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.session(&user()?, LONG, suite.ticks(8)).await?;
    let used_at = old.record.issued_at.after(suite.ticks(3));
    suite.touch(Touch::new(old.id, used_at, LONG)).await?;
    suite.wait_until(used_at).await?;
    let earliest = suite.now().await?.after(suite.ticks(8));
    let new = suite.rotated(old.id, LONG).await?;
    let latest = suite.now().await?.after(suite.ticks(8));

    let deadline = new.record.idle_deadline;
    let in_time = (earliest..=latest).contains(&deadline);
    ensure!(in_time, "the deadline is not one idle timeout from now");
    ensure_eq!(new.record.last_used, None, "the last use");
    suite.live_before(new.id, deadline).await?;
    suite.wait_until(deadline).await?;
    suite.ended(new.id, EndReason::Idle).await
}

pub(super) async fn a_rotation_can_replace_the_data<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let old = suite.long_session().await?;
    let mut rotate = Rotate::new(old.id, sibling(old.id)?, LONG);
    rotate.data = Some("{\"role\":\"admin\"}".into());
    let (id, data) = (rotate.new, rotate.data.clone());
    suite.store.rotate(rotate).await?;
    ensure_eq!(suite.live(id).await?.data, data, "the new data");
    ensure_eq!(suite.live(old.id).await?.data, None, "the old data");
    Ok(())
}

pub(super) async fn the_old_session_stays_good_for_the_grace<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.long_session().await?;
    let new = suite.rotated(old.id, suite.ticks(6)).await?;
    let record = suite.live(old.id).await?;
    ensure_eq!(record.successor, Some(new.id), "the successor");
    ensure_eq!(suite.listed(&old.user()).await?, [new.id], "the list");
    let Some(retires_at) = record.retires_at else {
        return Err(Violation::new("the old session is not retired"));
    };
    suite.live_before(old.id, retires_at).await?;
    suite.wait_until(retires_at).await?;
    suite.ended(old.id, EndReason::Replaced).await?;
    suite.live(new.id).await.map(drop)
}

pub(super) async fn a_session_whose_successor_was_used_cannot_be_rotated<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.long_session().await?;
    let new = suite.rotated(old.id, LONG).await?;
    let used_at = suite.now().await?;
    suite.touch(Touch::new(new.id, used_at, LONG)).await?;
    cannot_be_rotated(suite, old.id).await?;

    // A rotation of the successor is a use of it, too.
    let old = suite.long_session().await?;
    let new = suite.rotated(old.id, LONG).await?;
    suite.rotated(new.id, LONG).await?;
    cannot_be_rotated(suite, old.id).await
}

pub(super) async fn a_session_that_a_login_took_over_cannot_be_rotated<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.long_session().await?;
    let later = old.record.issued_at.after(suite.ticks(2));
    suite.wait_until(later).await?;
    let record = Record::issued(old.user(), suite.now().await?, LONG, LONG, None);
    let mut login = Insert::new(sibling(old.id)?, record);
    login.retire = Some(Retire::new(old.id, LONG));
    suite.keep(login, &[]).await?;
    cannot_be_rotated(suite, old.id).await
}

async fn cannot_be_rotated<F: Fixture>(suite: &Suite<'_, F>, old: SessionId) -> Outcome {
    let retired = suite.live(old).await?;
    let successor = retired.successor.unwrap_or(old);
    let before = suite.store.load(successor).await?;
    let again = Rotate::new(old, sibling(old)?, LONG * 2);
    let id = again.new;
    let rotated = suite.store.rotate(again).await?;
    ensure_eq!(rotated, Rotated::Ended(EndReason::Replaced), "the answer");
    suite.never_seen(id).await?;
    ensure_eq!(suite.live(old).await?, retired, "the old record");
    let after = suite.store.load(successor).await?;
    ensure_eq!(after, before, "the successor");
    Ok(())
}

pub(super) async fn a_rotation_can_be_repeated_until_the_new_session_is_used<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.long_session().await?;
    let lost = suite.rotated(old.id, LONG).await?;
    let retired = suite.live(old.id).await?;
    let mut again = Rotate::new(old.id, sibling(old.id)?, LONG * 2);
    again.data = Some("[1]".into());
    let id = again.new;
    let Rotated::Done(record) = suite.store.rotate(again).await? else {
        return Err(Violation::new("a rotation cannot be repeated"));
    };
    ensure_eq!(suite.live(id).await?, record, "the new record");
    ensure_eq!(record.data.as_deref(), Some("[1]"), "the new data");
    ensure_eq!(record.issued_at, old.record.issued_at, "the login");
    suite.ended(lost.id, EndReason::Replaced).await?;
    ensure_eq!(suite.listed(&old.user()).await?, [id], "the list");

    // The old one's grace is the first rotation's, and revoking it ends what took its place.
    let mut expected = retired;
    expected.successor = Some(id);
    ensure_eq!(suite.live(old.id).await?, expected, "the old record");
    let revoked = suite.revoke(Revoke::new(old.id, RevokeReason::LoggedOut));
    ensure_eq!(revoked.await?, sorted(vec![old.id, id]), "the answer");
    suite.ended(id, EndReason::LoggedOut).await
}

pub(super) async fn an_ended_session_cannot_be_rotated<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let revoked = suite.long_session().await?;
    let revoke = Revoke::new(revoked.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let followed = suite.long_session().await?;
    let revoke = Revoke::new(followed.id, RevokeReason::SessionKeyExpired);
    suite.revoke(revoke).await?;
    let idle = suite.session(&revoked.user(), LONG, suite.ticks(8)).await?;
    suite.wait_until(idle.record.idle_deadline).await?;
    let ended = [
        (revoked.id, EndReason::LoggedOut),
        (followed.id, EndReason::SessionKeyExpired),
        (idle.id, EndReason::Idle),
    ];
    for (old, reason) in ended {
        let new = sibling(old)?;
        let rotated = suite.store.rotate(Rotate::new(old, new, LONG)).await?;
        ensure_eq!(rotated, Rotated::Ended(reason), "the answer");
        suite.never_seen(new).await?;
        suite.ended(old, reason).await?;
    }
    Ok(())
}

pub(super) async fn a_taken_successor_changes_nothing<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let old = suite.long_session().await?;
    let other = suite.long_session_of(&old.user()).await?;
    for taken in [other.id, old.id] {
        let rotated = suite.store.rotate(Rotate::new(old.id, taken, LONG));
        ensure_eq!(rotated.await?, Rotated::Taken, "the answer");
    }
    for kept in [&old, &other] {
        ensure_eq!(suite.live(kept.id).await?, kept.record, "a record");
    }
    Ok(())
}

pub(super) async fn one_of_many_rotations_lasts<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let old = suite.long_session().await?;
    let mut rotations = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..32 {
        let (node, rotate) = (suite.node(), Rotate::new(old.id, sibling(old.id)?, LONG));
        ids.push(rotate.new);
        rotations.push(async move { node.rotate(rotate).await });
    }
    let mut live = Vec::new();
    for (id, rotated) in ids.into_iter().zip(together(rotations).await?) {
        match rotated {
            Rotated::Done(_) if suite.is_live(id).await? => live.push(id),
            Rotated::Done(_) => suite.ended(id, EndReason::Replaced).await?,
            other => return Err(Violation::new(format!("a rotation ends as {other:?}"))),
        }
    }
    ensure_eq!(live.len(), 1, "new sessions that are live");
    ensure_eq!(suite.listed(&old.user()).await?, live, "the list");
    ensure_eq!(
        suite.live(old.id).await?.successor,
        Some(live[0]),
        "the successor"
    );
    Ok(())
}
