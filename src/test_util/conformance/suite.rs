use std::sync::Arc;
use std::time::Duration;

use super::fixture::Fixture;
use super::fresh::{id_of, sibling, user};
use super::violation::{Outcome, Violation, ensure, ensure_eq};
use crate::identity::Identity;
use crate::session::{EndReason, Record, Touch};
use crate::store::{Insert, Inserted, Loaded, Revoke, Rotate, Rotated, SessionStore, Target};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Long enough that nothing ends by itself while a check runs.
pub(super) const LONG: Duration = Duration::from_secs(60 * 60);

/// What the checks share.
pub(super) struct Suite<'a, F: Fixture> {
    fixture: &'a F,
    pub(super) store: F::Store,
}

impl<'a, F: Fixture> Suite<'a, F> {
    pub(super) fn new(fixture: &'a F) -> Self {
        Self {
            fixture,
            store: fixture.store(),
        }
    }

    /// Another node's handle to the store.
    pub(super) fn node(&self) -> Arc<F::Store> {
        Arc::new(self.fixture.store())
    }

    pub(super) fn rounds(&self) -> usize {
        self.fixture.rounds()
    }

    pub(super) fn ticks(&self, count: u32) -> Duration {
        self.fixture.tick() * count
    }

    pub(super) async fn now(&self) -> Outcome<Timestamp> {
        Ok(self.store.now().await?)
    }

    pub(super) async fn wait_until(&self, instant: Timestamp) -> Outcome {
        // A sleep may be a little shorter on the store's clock than on ours.
        loop {
            let left = instant.since(self.now().await?);
            if left.is_zero() {
                return Ok(());
            }
            self.fixture.advance(left).await;
        }
    }

    /// A session of a new user that does not end by itself.
    pub(super) async fn long_session(&self) -> Outcome<Kept> {
        self.session(&user()?, LONG, LONG).await
    }

    pub(super) async fn long_session_of(&self, user: &Identity) -> Outcome<Kept> {
        self.session(user, LONG, LONG).await
    }

    pub(super) async fn session(
        &self,
        user: &Identity,
        lifetime: Duration,
        idle_timeout: Duration,
    ) -> Outcome<Kept> {
        let id = id_of(user)?;
        let now = self.now().await?;
        let record = Record::issued(user.clone(), now, lifetime, idle_timeout, None);
        self.keep(Insert::new(id, record.clone()), &[]).await?;
        Ok(Kept { id, record })
    }

    pub(super) async fn keep(&self, insert: Insert, replacing: &[SessionId]) -> Outcome {
        let inserted = self.store.insert(insert).await?;
        let kept = Inserted::Kept(replacing.to_vec());
        ensure_eq!(inserted, kept, "the answer to an insert");
        Ok(())
    }

    pub(super) async fn rotated(&self, old: SessionId, grace: Duration) -> Outcome<Kept> {
        let id = sibling(old)?;
        match self.store.rotate(Rotate::new(old, id, grace)).await? {
            Rotated::Done(record) => Ok(Kept { id, record }),
            other => Err(Violation::new(format!(
                "a live session rotates to {other:?}"
            ))),
        }
    }

    pub(super) async fn live(&self, id: SessionId) -> Outcome<Record> {
        match self.store.load(id).await? {
            Loaded::Live(record) => Ok(record),
            other => Err(Violation::new(format!("a live session loads as {other:?}"))),
        }
    }

    pub(super) async fn is_live(&self, id: SessionId) -> Outcome<bool> {
        Ok(matches!(self.store.load(id).await?, Loaded::Live(_)))
    }

    /// The session is over for this reason.
    pub(super) async fn ended(&self, id: SessionId, reason: EndReason) -> Outcome {
        let loaded = self.store.load(id).await?;
        ensure_eq!(loaded.end_reason(), Some(reason), "a session that is over");
        Ok(())
    }

    pub(super) async fn never_seen(&self, id: SessionId) -> Outcome {
        let loaded = self.store.load(id).await?;
        ensure_eq!(loaded, Loaded::NeverSeen, "a session that is not known");
        Ok(())
    }

    /// The session is live one tick before `end`.
    pub(super) async fn live_before(&self, id: SessionId, end: Timestamp) -> Outcome {
        self.wait_until(self.tick_before(end)).await?;
        let loaded = self.store.load(id).await?;
        let live = matches!(loaded, Loaded::Live(_));
        // Past the end the answer proves nothing: this process was held up.
        let late = self.now().await? >= end;
        ensure!(live || late, "one tick before its end it is {loaded:?}");
        Ok(())
    }

    /// The session is over for this reason, from `start` until one tick before `end`.
    pub(super) async fn ended_between(
        &self,
        id: SessionId,
        reason: EndReason,
        (start, end): (Timestamp, Timestamp),
    ) -> Outcome {
        for instant in [start, self.tick_before(end)] {
            self.wait_until(instant).await?;
            let loaded = self.store.load(id).await?;
            let late = self.now().await? >= end;
            let ended = loaded.end_reason() == Some(reason);
            ensure!(ended || late, "expected to end as {reason:?}: {loaded:?}");
        }
        Ok(())
    }

    pub(super) fn tick_before(&self, instant: Timestamp) -> Timestamp {
        let tick = self.ticks(1).as_millis() as u64;
        Timestamp::from_millis(instant.as_millis().saturating_sub(tick))
    }

    /// Revokes, and returns what was ended in a stable order.
    pub(super) async fn revoke(&self, revoke: Revoke) -> Outcome<Vec<SessionId>> {
        Ok(sorted(self.store.revoke(revoke).await?))
    }

    pub(super) async fn touch(&self, touch: Touch) -> Outcome<Option<Timestamp>> {
        Ok(self.store.touch(touch).await?)
    }

    /// The ids of the user's current sessions, as listed.
    pub(super) async fn listed(&self, user: &Identity) -> Outcome<Vec<SessionId>> {
        let list = self.store.list(user.clone()).await?;
        Ok(list.into_iter().map(|(id, _)| id).collect())
    }
}

/// A session that the store was given or has made.
pub(super) struct Kept {
    pub(super) id: SessionId,
    pub(super) record: Record,
}

impl Kept {
    pub(super) fn user(&self) -> Identity {
        self.record.identity.clone()
    }

    pub(super) fn others(&self) -> Target {
        Target::Others {
            user: self.user(),
            keep: self.id,
        }
    }
}

pub(super) fn sorted(mut ids: Vec<SessionId>) -> Vec<SessionId> {
    ids.sort_unstable();
    ids
}
