//! Two nodes at the same time: nothing that a revocation ended may be live afterwards.

use std::future::Future;

use super::concurrency::race;
use super::fixture::Fixture;
use super::fresh::{id_of, sibling};
use super::suite::{Kept, LONG, Suite};
use super::violation::{Outcome, Violation, ensure, ensure_eq};
use crate::session::{EndReason, Record, Touch};
use crate::store::{
    Insert, Inserted, Retire, Revoke, RevokeReason, Rotate, Rotated, SessionStore, StoreError,
};
use crate::token::SessionId;

pub(super) async fn no_touch_outruns_a_revocation<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    for round in 0..suite.rounds() {
        let session = suite.long_session().await?;
        let touch = Touch::new(session.id, session.record.issued_at, LONG);
        let node = suite.node();
        let touching = async move { node.touch(touch).await };
        let revoke = Revoke::new(session.id, RevokeReason::LoggedOut);
        race(round, touching, revoking(suite, revoke)).await?;
        suite.ended(session.id, EndReason::LoggedOut).await?;
        ensure_eq!(suite.touch(touch).await?, None, "a touch after the end");
    }
    Ok(())
}

pub(super) async fn no_rotation_outruns_a_revocation<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    for round in 0..suite.rounds() {
        let old = suite.long_session().await?;
        let revoke = Revoke::new(old.id, RevokeReason::LoggedOut);
        rotate_against(suite, round, &old, revoke).await?;
    }
    Ok(())
}

pub(super) async fn no_rotation_outruns_the_revocation_of_a_user<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    for round in 0..suite.rounds() {
        let old = suite.long_session().await?;
        let revoke = Revoke::new(old.user(), RevokeReason::LoggedOut);
        rotate_against(suite, round, &old, revoke).await?;
        ensure_eq!(suite.listed(&old.user()).await?, [], "the list");
    }
    Ok(())
}

async fn rotate_against<F: Fixture>(
    suite: &Suite<'_, F>,
    round: usize,
    old: &Kept,
    revoke: Revoke,
) -> Outcome {
    let new = sibling(old.id)?;
    let (rotated, revoked) =
        race(round, rotating(suite, old.id, new), revoking(suite, revoke)).await?;
    suite.ended(old.id, EndReason::LoggedOut).await?;
    match rotated {
        Rotated::Done(_) => suite.ended(new, EndReason::LoggedOut).await?,
        _ => suite.never_seen(new).await?,
    }
    let expected = 1 + usize::from(matches!(rotated, Rotated::Done(_)));
    ensure_eq!(revoked.len(), expected, "sessions that were revoked");
    Ok(())
}

pub(super) async fn no_takeover_outruns_a_revocation<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    for round in 0..suite.rounds() {
        let old = suite.long_session().await?;
        let mut insert = Insert::new(sibling(old.id)?, old.record.clone());
        insert.retire = Some(Retire::new(old.id, LONG));
        let new = insert.id;
        let revoke = Revoke::new(old.id, RevokeReason::LoggedOut);
        let (_, revoked) = race(round, inserting(suite, insert), revoking(suite, revoke)).await?;
        suite.ended(old.id, EndReason::LoggedOut).await?;
        // A login after the logout is a new session, one before it is the old one's successor.
        let live = !revoked.contains(&new);
        ensure_eq!(
            suite.is_live(new).await?,
            live,
            "whether the new one is live"
        );
    }
    Ok(())
}

pub(super) async fn no_insert_outruns_the_revocation_of_a_user<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    for round in 0..suite.rounds() {
        let first = suite.long_session().await?;
        let user = first.user();
        let now = suite.now().await?.after(suite.ticks(1));
        let mut insert = Insert::new(
            id_of(&user)?,
            Record::issued(user.clone(), now, LONG, LONG, None),
        );
        insert.cap = Some(1);
        let new = insert.id;
        let revoke = Revoke::new(&user, RevokeReason::LoggedOut);
        let (inserted, revoked) =
            race(round, inserting(suite, insert), revoking(suite, revoke)).await?;
        let replaced = match inserted {
            Inserted::Kept(replaced) => replaced,
            Inserted::Taken => return Err(Violation::new("a new id is taken")),
        };
        let live: Vec<_> = [first.id, new]
            .into_iter()
            .filter(|id| !revoked.contains(id) && !replaced.contains(id))
            .collect();
        ensure_eq!(suite.listed(&user).await?, live, "the list");
        for id in [first.id, new] {
            let expected = live.contains(&id);
            ensure_eq!(suite.is_live(id).await?, expected, "whether one is live");
        }
        ensure!(
            !suite.is_live(first.id).await?,
            "the first one outlived both"
        );
    }
    Ok(())
}

pub(super) async fn the_one_that_stays_may_be_rotated_meanwhile<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    for round in 0..suite.rounds() {
        let keep = suite.long_session().await?;
        let other = suite.long_session_of(&keep.user()).await?;
        let new = sibling(keep.id)?;
        let revoke = Revoke::new(keep.others(), RevokeReason::LoggedOut);
        let (rotated, revoked) = race(
            round,
            rotating(suite, keep.id, new),
            revoking(suite, revoke),
        )
        .await?;
        ensure!(matches!(rotated, Rotated::Done(_)), "it is {rotated:?}");
        ensure_eq!(revoked, [other.id], "what was revoked");
        suite.live(keep.id).await?;
        ensure_eq!(suite.listed(&keep.user()).await?, [new], "the list");
    }
    Ok(())
}

fn revoking<F: Fixture>(
    suite: &Suite<'_, F>,
    revoke: Revoke,
) -> impl Future<Output = Result<Vec<SessionId>, StoreError>> + Send + 'static + use<F> {
    let node = suite.node();
    async move { node.revoke(revoke).await }
}

fn rotating<F: Fixture>(
    suite: &Suite<'_, F>,
    old: SessionId,
    new: SessionId,
) -> impl Future<Output = Result<Rotated, StoreError>> + Send + 'static + use<F> {
    let node = suite.node();
    async move { node.rotate(Rotate::new(old, new, LONG)).await }
}

fn inserting<F: Fixture>(
    suite: &Suite<'_, F>,
    insert: Insert,
) -> impl Future<Output = Result<Inserted, StoreError>> + Send + 'static + use<F> {
    let node = suite.node();
    async move { node.insert(insert).await }
}
