//! What a revocation ends, and what it spares.

use super::fixture::Fixture;
use super::fresh::user;
use super::suite::{Kept, LONG, Suite, sorted};
use super::violation::{Outcome, ensure_eq};
use crate::session::{EndReason, Touch};
use crate::store::{Revoke, RevokeReason, Target};

pub(super) async fn a_revoked_session_is_over_for_the_reason_given<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    for reason in [
        RevokeReason::LoggedOut,
        RevokeReason::KickedOut,
        RevokeReason::Replaced,
        RevokeReason::SessionKeyExpired,
    ] {
        let session = suite.long_session().await?;
        let other = suite.long_session_of(&session.user()).await?;
        let revoked = suite.revoke(Revoke::new(session.id, reason)).await?;
        ensure_eq!(revoked, [session.id], "the answer");
        suite.ended(session.id, reason.into()).await?;
        ensure_eq!(suite.listed(&session.user()).await?, [other.id], "the list");
    }
    Ok(())
}

pub(super) async fn the_reason_is_kept_until_the_absolute_end<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite
        .session(&user()?, suite.ticks(24), suite.ticks(4))
        .await?;
    let revoke = Revoke::new(session.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let span = (suite.now().await?, session.record.absolute_end);
    suite
        .ended_between(session.id, EndReason::LoggedOut, span)
        .await?;
    let forgotten = session.record.absolute_end.after(suite.ticks(4));
    suite.wait_until(forgotten).await?;
    suite.never_seen(session.id).await
}

pub(super) async fn revoking_again_changes_nothing<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let session = suite.long_session().await?;
    let revoke = Revoke::new(session.id, RevokeReason::KickedOut);
    suite.revoke(revoke).await?;
    for target in [Target::from(session.id), Target::from(session.user())] {
        let again = Revoke::new(target, RevokeReason::LoggedOut);
        ensure_eq!(suite.revoke(again).await?, [], "the answer");
        suite.ended(session.id, EndReason::KickedOut).await?;
    }
    Ok(())
}

pub(super) async fn revoking_in_grace_ends_every_successor<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let line = line_of_three(suite).await?;
    let other = suite.long_session_of(&line[0].user()).await?;
    let revoked = suite.revoke(Revoke::new(line[0].id, RevokeReason::LoggedOut));
    ensure_eq!(revoked.await?, ids(&line), "the answer");
    for session in &line {
        suite.ended(session.id, EndReason::LoggedOut).await?;
    }
    suite.live(other.id).await.map(drop)
}

pub(super) async fn revoking_a_user_ends_all_of_the_user_s_sessions<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let mut sessions = line_of_three(suite).await?;
    let user = sessions[0].user();
    sessions.push(suite.long_session_of(&user).await?);
    let revoked = suite.revoke(Revoke::new(&user, RevokeReason::KickedOut));
    ensure_eq!(revoked.await?, ids(&sessions), "the answer");
    for session in &sessions {
        suite.ended(session.id, EndReason::KickedOut).await?;
    }
    ensure_eq!(suite.listed(&user).await?, [], "the list");
    suite
        .live(suite.long_session_of(&user).await?.id)
        .await
        .map(drop)
}

pub(super) async fn revoking_the_others_spares_one_and_its_successor<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let keep = suite.long_session().await?;
    let others = [
        suite.long_session_of(&keep.user()).await?,
        suite.long_session_of(&keep.user()).await?,
    ];
    let successor = suite.rotated(keep.id, LONG).await?;
    let revoke = Revoke::new(keep.others(), RevokeReason::LoggedOut);
    ensure_eq!(suite.revoke(revoke).await?, ids(&others), "the answer");
    for session in &others {
        suite.ended(session.id, EndReason::LoggedOut).await?;
    }
    suite.live(keep.id).await?;
    ensure_eq!(
        suite.live(successor.id).await?,
        successor.record,
        "the successor"
    );
    Ok(())
}

pub(super) async fn revoking_the_others_ends_the_predecessor_of_the_one<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let old = suite.long_session().await?;
    let keep = suite.rotated(old.id, LONG).await?;
    let revoke = Revoke::new(keep.others(), RevokeReason::LoggedOut);
    ensure_eq!(suite.revoke(revoke).await?, [old.id], "the answer");
    suite.ended(old.id, EndReason::LoggedOut).await?;
    ensure_eq!(
        suite.live(keep.id).await?,
        keep.record,
        "the one that stays"
    );
    Ok(())
}

pub(super) async fn sessions_issued_later_are_spared<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let early = suite.long_session().await?;
    let user = early.user();
    let by = early.record.issued_at;
    suite.wait_until(by.after(suite.ticks(2))).await?;
    let late = suite.long_session_of(&user).await?;
    let last = suite.long_session_of(&user).await?;
    for (target, ended) in [
        (late.id.into(), vec![]),
        (last.others(), vec![early.id]),
        (user.into(), vec![]),
    ] {
        let mut revoke = Revoke::new(target, RevokeReason::LoggedOut);
        revoke.issued_by = Some(by);
        ensure_eq!(suite.revoke(revoke).await?, ended, "the answer");
    }
    suite.ended(early.id, EndReason::LoggedOut).await?;
    suite.live(late.id).await?;
    suite.live(last.id).await.map(drop)
}

pub(super) async fn an_idle_session_can_still_be_revoked<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let session = suite.session(&user()?, LONG, suite.ticks(8)).await?;
    let deadline = session.record.idle_deadline;
    suite.wait_until(deadline).await?;
    let revoke = Revoke::new(session.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    suite.ended(session.id, EndReason::LoggedOut).await?;
    let late = Touch::new(session.id, deadline, LONG);
    ensure_eq!(suite.touch(late).await?, None, "a late touch");
    suite.ended(session.id, EndReason::LoggedOut).await
}

/// A session, its successor and the successor's, all live.
async fn line_of_three<F: Fixture>(suite: &Suite<'_, F>) -> Outcome<Vec<Kept>> {
    let old = suite.long_session().await?;
    let new = suite.rotated(old.id, LONG).await?;
    let newer = suite.rotated(new.id, LONG).await?;
    Ok(vec![old, new, newer])
}

fn ids(sessions: &[Kept]) -> Vec<crate::SessionId> {
    sorted(sessions.iter().map(|session| session.id).collect())
}

/// Its end is forgotten and its record is kept: a node may come to tell of uses.
pub(super) async fn a_session_that_a_late_touch_would_bring_back_can_be_revoked<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    for is_by_user in [false, true] {
        let session = suite.session(&user()?, LONG, suite.ticks(4)).await?;
        let late = session.record.remembered_until().after(suite.ticks(1));
        suite.wait_until(late).await?;
        let revoke = match is_by_user {
            true => Revoke::new(session.user(), RevokeReason::KickedOut),
            false => Revoke::new(session.id, RevokeReason::KickedOut),
        };
        ensure_eq!(suite.revoke(revoke).await?, [session.id], "what is ended");
        let deadline = session.record.idle_deadline;
        let touch = Touch::new(session.id, late, LONG).in_use_since(deadline);
        ensure_eq!(suite.touch(touch).await?, None, "a touch after that");
        suite.ended(session.id, EndReason::KickedOut).await?;
    }
    Ok(())
}
