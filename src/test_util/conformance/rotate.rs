//! What a rotation keeps, and what becomes of the old session.

use super::Fixture;
use super::suite::{LONG, Outcome, Suite, Violation, ensure, ensure_eq};
use super::suite::{id_of, sibling, together, user};
use crate::store::{
    EndReason, Insert, Record, Revoke, RevokeReason, Rotate, Rotated, SessionStore, Touch,
};

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

pub(super) async fn a_session_in_its_grace_cannot_be_rotated<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.long_session().await?;
    let new = suite.rotated(old.id, LONG).await?;
    let retired = suite.live(old.id).await?;
    let again = Rotate::new(old.id, sibling(old.id)?, LONG * 2);
    let id = again.new;
    let rotated = suite.store.rotate(again).await?;
    ensure_eq!(rotated, Rotated::Ended(EndReason::Replaced), "the answer");
    suite.never_seen(id).await?;
    ensure_eq!(suite.live(old.id).await?, retired, "the old record");
    ensure_eq!(suite.live(new.id).await?, new.record, "the new record");
    Ok(())
}

pub(super) async fn an_ended_session_cannot_be_rotated<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let revoked = suite.long_session().await?;
    let revoke = Revoke::new(revoked.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let idle = suite.session(&revoked.user(), LONG, suite.ticks(8)).await?;
    suite.wait_until(idle.record.idle_deadline).await?;
    let ended = [
        (revoked.id, EndReason::LoggedOut),
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

pub(super) async fn one_of_many_rotations_wins<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let old = suite.long_session().await?;
    let mut rotations = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..32 {
        let (node, rotate) = (suite.node(), Rotate::new(old.id, sibling(old.id)?, LONG));
        ids.push(rotate.new);
        rotations.push(async move { node.rotate(rotate).await });
    }
    let mut winners = Vec::new();
    for (id, rotated) in ids.into_iter().zip(together(rotations).await?) {
        match rotated {
            Rotated::Done(_) => winners.push(id),
            Rotated::Ended(EndReason::Replaced) => suite.never_seen(id).await?,
            other => return Err(Violation::new(format!("a rotation ends as {other:?}"))),
        }
    }
    ensure_eq!(winners.len(), 1, "rotations that succeeded");
    ensure_eq!(suite.listed(&old.user()).await?, winners, "the list");
    ensure_eq!(
        suite.live(old.id).await?.successor,
        Some(winners[0]),
        "the successor"
    );
    Ok(())
}
