//! What nodes are told of.

use std::time::Duration;

use tokio::time::timeout;

use super::fixture::Fixture;
use super::fresh::{id_of, user};
use super::suite::{LONG, Suite};
use super::violation::{Outcome, Violation, ensure};
use crate::session::{Record, Touch};
use crate::store::{Feed, FeedEvent, Insert, Retire, Revoke, RevokeReason, SessionStore};
use crate::token::SessionId;

/// Far longer than it takes a healthy link to carry an event.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn revocations_are_told_to_every_node<F: Fixture>(
    suite: &Suite<'_, F>,
) -> Outcome {
    let (node, other_node) = (suite.node(), suite.node());
    let mut feeds = [
        node.subscribe().await?,
        node.subscribe().await?,
        other_node.subscribe().await?,
    ];
    let old = suite.long_session().await?;
    let new = suite.rotated(old.id, LONG).await?;
    let revoke = Revoke::new(old.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let kept = suite.long_session_of(&old.user()).await?;
    let other = suite.long_session_of(&old.user()).await?;
    let revoke = Revoke::new(kept.others(), RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let revoke = Revoke::new(old.user(), RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    for feed in &mut feeds {
        told(feed, vec![old.id, new.id, other.id, kept.id]).await?;
    }
    Ok(())
}

pub(super) async fn replacements_are_told<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let mut feed = suite.store.subscribe().await?;
    let first = suite.long_session().await?;
    suite.rotated(first.id, LONG).await?;
    told(&mut feed, vec![first.id]).await?;
    let repeated = suite.long_session().await?;
    let lost = suite.rotated(repeated.id, LONG).await?;
    suite.rotated(repeated.id, LONG).await?;
    told(&mut feed, vec![repeated.id, lost.id]).await?;

    let second = suite.long_session().await?;
    let mut insert = Insert::new(id_of(&second.user())?, second.record.clone());
    insert.retire = Some(Retire::new(second.id, LONG));
    suite.keep(insert, &[]).await?;
    told(&mut feed, vec![second.id]).await?;

    let third = suite.long_session().await?;
    let now = suite.now().await?.after(suite.ticks(1));
    let record = Record::issued(third.user(), now, LONG, LONG, None);
    let mut insert = Insert::new(id_of(&third.user())?, record);
    insert.cap = Some(1);
    suite.keep(insert, &[third.id]).await?;
    told(&mut feed, vec![third.id]).await.map(drop)
}

/// A node may hold a session that its store has lost.
pub(super) async fn an_end_of_what_is_gone_is_told<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let mut feed = suite.store.subscribe().await?;
    let gone = id_of(&user()?)?;
    let revoke = Revoke::new(gone, RevokeReason::LoggedOut);
    ensure!(
        suite.revoke(revoke).await?.is_empty(),
        "it has ended nothing"
    );
    told(&mut feed, vec![gone]).await?;
    suite.never_seen(gone).await
}

pub(super) async fn nothing_else_is_told<F: Fixture>(suite: &Suite<'_, F>) -> Outcome {
    let mut feed = suite.store.subscribe().await?;
    let session = suite.long_session().await?;
    let touch = Touch::new(session.id, session.record.issued_at, LONG);
    suite.touch(touch).await?;
    suite.live(session.id).await?;
    suite.listed(&session.user()).await?;

    // Events of one user come in order, so this one comes last.
    let last = suite.long_session_of(&session.user()).await?;
    let revoke = Revoke::new(last.id, RevokeReason::LoggedOut);
    suite.revoke(revoke).await?;
    let told = told(&mut feed, vec![last.id]).await?;
    let quiet = !told.contains(&session.id);
    ensure!(quiet, "nodes are told of an insert, a touch or a look");
    Ok(())
}

/// Reads the feed until all of these were told; returns whatever was told meanwhile.
async fn told(feed: &mut Feed, mut awaited: Vec<SessionId>) -> Outcome<Vec<SessionId>> {
    let mut told = Vec::new();
    while !awaited.is_empty() {
        match timeout(PATIENCE, feed.next()).await {
            Ok(Some(FeedEvent::Changed(changed))) => {
                awaited.retain(|id| !changed.contains(id));
                told.extend(changed);
            }
            Ok(Some(FeedEvent::Heartbeat(_))) => {}
            Ok(None) => return Err(Violation::new("the link ended")),
            Err(_) => return Err(Violation::new("a change was not told")),
        }
    }
    Ok(told)
}
