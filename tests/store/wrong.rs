//! Stores that are wrong, each in one way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::yield_now;
use tower_wx_session::store::{
    EndReason, Feed, FeedEvent, FeedSender, Insert, Inserted, Loaded, MemoryStore, PutSessionKey,
    Record, Retire, Revoke, RevokeReason, Rotate, Rotated, SessionStore, StoreError, TagKey,
    Target, Timestamp, Touch,
};
use tower_wx_session::{Identity, SessionId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    LoadForgetsReasons,
    LoadIgnoresTheIdleDeadline,
    InsertOverwrites,
    CapIsOneMore,
    CapIsNotAtomic,
    InsertDoesNotRetire,
    TouchCreates,
    TouchRevives,
    TouchGoesByTheClock,
    TouchGoesByTheLastUse,
    TouchTakesTheFirstUseForGranted,
    TouchGoesByWhatIsRemembered,
    TouchAnswersForItself,
    RotateProlongs,
    RotateIsNotAtomic,
    RotateCannotBeRepeated,
    RotateLeavesTheUnused,
    RotateReplacesTheUsed,
    RevokeForgetsTheSuccessor,
    RevokeGoesByTheList,
    RevokeGoesByWhatIsRemembered,
    RevokeOthersEndsTheSuccessor,
    RevokeEndsLaterSessions,
    RevokeTellsNothing,
    UsersAreMixedUp,
    SessionKeysGoByArrival,
    SessionKeysAreTwo,
    SessionKeysAreKeptOften,
    EveryTagKeyIsAdded,
    FeedLosesRotations,
    FeedReachesOneNode,
    FeedLeavesOutWhatIsGone,
    FeedTellsOfTouches,
}

/// A good store with one fault.
#[derive(Clone)]
pub struct WrongStore {
    good: MemoryStore,
    fault: Fault,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Every record that was inserted.
    records: HashMap<SessionId, Record>,
    /// What a load answers instead of the truth.
    made_up: HashMap<SessionId, Record>,
    tag_keys: Vec<TagKey>,
    session_keys: u8,
    /// Rotated sessions of which the event is to be lost.
    unspoken: HashSet<SessionId>,
    feeds: Vec<FeedSender>,
    subscribed: usize,
}

impl WrongStore {
    pub fn new(good: MemoryStore, fault: Fault) -> Self {
        let state = Arc::default();
        Self { good, fault, state }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("no panic under the lock"))
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn make_up(&self, id: SessionId, record: Record) {
        self.with(|state| state.made_up.insert(id, record));
    }

    async fn cap_afterwards(&self, mut insert: Insert) -> Result<Inserted, StoreError> {
        let user = insert.record.identity.clone();
        let cap = insert.cap.take().unwrap_or(usize::MAX);
        let listed = self.good.list(user).await?;
        yield_now().await;
        let inserted = self.good.insert(insert).await?;
        let excess = (listed.len() + 1).saturating_sub(cap);
        let mut replaced = Vec::new();
        for (id, _) in listed.into_iter().take(excess) {
            let revoke = Revoke::new(id, RevokeReason::Replaced);
            replaced.extend(self.good.revoke(revoke).await?);
        }
        Ok(match inserted {
            Inserted::Kept(_) => Inserted::Kept(replaced),
            Inserted::Taken => Inserted::Taken,
        })
    }

    async fn rotate_in_two_steps(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let old = match self.good.load(rotate.old).await? {
            Loaded::Live(old) if old.is_retired() => {
                return Ok(Rotated::Ended(EndReason::Replaced));
            }
            Loaded::Live(old) => old,
            Loaded::Ended { reason, .. } => return Ok(Rotated::Ended(reason)),
            Loaded::NeverSeen => return Ok(Rotated::NeverSeen),
        };
        yield_now().await;
        let record = old.rotated(self.good.now().await?, rotate.data);
        let mut insert = Insert::new(rotate.new, record.clone());
        insert.retire = Some(Retire::new(rotate.old, rotate.grace));
        Ok(match self.good.insert(insert).await? {
            Inserted::Kept(_) => Rotated::Done(record),
            Inserted::Taken => Rotated::Taken,
        })
    }

    async fn rotate_whatever_was_used(
        &self,
        rotate: Rotate,
        old: Record,
    ) -> Result<Rotated, StoreError> {
        let unused = old.successor.expect("a successor");
        let revoke = Revoke::new(unused, RevokeReason::Replaced);
        self.good.revoke(revoke).await?;
        let record = old.rotated(self.good.now().await?, rotate.data);
        let insert = Insert::new(rotate.new, record.clone());
        self.good.insert(insert).await?;
        Ok(Rotated::Done(record))
    }

    async fn revoke_one_by_one(
        &self,
        revoke: &Revoke,
        user: &Identity,
        keep: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut ended = Vec::new();
        for (id, _) in self.good.list(user.clone()).await? {
            if Some(id) != keep {
                let mut one = revoke.clone();
                one.target = Target::Session(id);
                ended.extend(self.good.revoke(one).await?);
            }
        }
        Ok(ended)
    }

    async fn revoke_without_successors(
        &self,
        revoke: Revoke,
    ) -> Result<Vec<SessionId>, StoreError> {
        let target = revoke.target.clone();
        let ended = self.good.revoke(revoke).await?;
        let Target::Session(id) = target else {
            return Ok(ended);
        };
        for successor in ended.iter().filter(|ended| **ended != id) {
            let record = self.with(|state| state.records[successor].clone());
            self.make_up(*successor, record);
        }
        Ok(ended.into_iter().filter(|ended| *ended == id).collect())
    }

    fn user(&self, user: Identity) -> Identity {
        if self.has(Fault::UsersAreMixedUp) {
            Identity::new("one app", user.openid())
        } else {
            user
        }
    }
}

impl SessionStore for WrongStore {
    async fn insert(&self, mut insert: Insert) -> Result<Inserted, StoreError> {
        let (id, record) = (insert.id, insert.record.clone());
        match self.fault {
            Fault::CapIsOneMore => insert.cap = insert.cap.map(|cap| cap + 1),
            Fault::InsertDoesNotRetire => insert.retire = None,
            Fault::CapIsNotAtomic => return self.cap_afterwards(insert).await,
            _ => {}
        }
        let inserted = self.good.insert(insert).await?;
        self.with(|state| {
            state.records.entry(id).or_insert_with(|| record.clone());
        });
        if self.has(Fault::InsertOverwrites) && inserted == Inserted::Taken {
            self.make_up(id, record);
            return Ok(Inserted::Kept(Vec::new()));
        }
        Ok(inserted)
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        if let Some(record) = self.with(|state| state.made_up.get(&id).cloned()) {
            return Ok(Loaded::Live(record));
        }
        Ok(match self.good.load(id).await? {
            Loaded::Ended { .. } if self.has(Fault::LoadForgetsReasons) => Loaded::NeverSeen,
            Loaded::Ended {
                reason: EndReason::Idle,
                ..
            } if self.has(Fault::LoadIgnoresTheIdleDeadline) => {
                Loaded::Live(self.with(|state| state.records[&id].clone()))
            }
            loaded => loaded,
        })
    }

    async fn touch(&self, mut touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        match self.fault {
            Fault::TouchGoesByTheLastUse => touch.since = touch.used_at,
            Fault::TouchTakesTheFirstUseForGranted => touch.since = Timestamp::default(),
            _ => {}
        }
        if self.has(Fault::TouchGoesByWhatIsRemembered)
            && self.good.load(touch.id).await? == Loaded::NeverSeen
        {
            return Ok(None);
        }
        if self.has(Fault::TouchGoesByTheClock) {
            let live = matches!(self.good.load(touch.id).await?, Loaded::Live(_));
            return match live {
                true => self.good.touch(touch).await,
                false => Ok(None),
            };
        }
        let told = self.good.touch(touch).await?;
        let record = self.with(|state| state.records.get(&touch.id).cloned());
        match (self.fault, record) {
            (Fault::TouchCreates, None) => return Ok(Some(touch.used_at.after(touch.slack))),
            (Fault::TouchRevives, Some(record)) if told.is_none() => {
                let deadline = record.idle_deadline;
                self.make_up(touch.id, record);
                return Ok(Some(deadline));
            }
            (Fault::TouchAnswersForItself, Some(record)) if told.is_some() => {
                let deadline = touch.used_at.after(record.idle_timeout);
                return Ok(Some(deadline.after(touch.slack)));
            }
            (Fault::FeedTellsOfTouches, _) => {
                let event = FeedEvent::Changed(vec![touch.id]);
                self.with(|state| state.feeds.retain(|feed| feed.send(event.clone())));
            }
            _ => {}
        }
        Ok(told)
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let (old, new) = (rotate.old, rotate.new);
        if let Loaded::Live(record) = self.good.load(old).await?
            && record.is_retired()
        {
            match self.fault {
                Fault::RotateCannotBeRepeated => return Ok(Rotated::Ended(EndReason::Replaced)),
                Fault::RotateReplacesTheUsed => {
                    return self.rotate_whatever_was_used(rotate, record).await;
                }
                Fault::RotateLeavesTheUnused => {
                    let unused = record.successor.expect("a successor");
                    if let Loaded::Live(record) = self.good.load(unused).await? {
                        self.make_up(unused, record);
                    }
                }
                _ => {}
            }
        }
        if self.has(Fault::RotateIsNotAtomic) {
            return self.rotate_in_two_steps(rotate).await;
        }
        if self.has(Fault::FeedLosesRotations) {
            self.with(|state| state.unspoken.insert(old));
        }
        let mut rotated = self.good.rotate(rotate).await?;
        if let Rotated::Done(record) = &mut rotated {
            if self.has(Fault::RotateProlongs) {
                record.absolute_end = record.absolute_end.after(Duration::from_secs(1));
                self.make_up(new, record.clone());
            }
            self.with(|state| state.records.insert(new, record.clone()));
        }
        Ok(rotated)
    }

    async fn revoke(&self, mut revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        match (self.fault, revoke.target.clone()) {
            (Fault::FeedLeavesOutWhatIsGone, Target::Session(id))
                if self.good.load(id).await? == Loaded::NeverSeen =>
            {
                Ok(Vec::new())
            }
            (Fault::RevokeForgetsTheSuccessor, _) => self.revoke_without_successors(revoke).await,
            (Fault::RevokeGoesByWhatIsRemembered, Target::Session(id)) => {
                match self.good.load(id).await? {
                    Loaded::NeverSeen => Ok(Vec::new()),
                    _ => self.good.revoke(revoke).await,
                }
            }
            (Fault::RevokeGoesByTheList, Target::User(user)) => {
                self.revoke_one_by_one(&revoke, &user, None).await
            }
            (Fault::RevokeOthersEndsTheSuccessor, Target::Others { user, keep }) => {
                self.revoke_one_by_one(&revoke, &user, Some(keep)).await
            }
            (Fault::RevokeEndsLaterSessions, _) => {
                revoke.issued_by = None;
                self.good.revoke(revoke).await
            }
            (Fault::RevokeTellsNothing, _) => {
                self.good.revoke(revoke).await?;
                Ok(Vec::new())
            }
            _ => self.good.revoke(revoke).await,
        }
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        self.good.list(user).await
    }

    async fn put_session_key(&self, mut put: PutSessionKey) -> Result<(), StoreError> {
        put.user = self.user(put.user);
        if self.has(Fault::SessionKeysGoByArrival) {
            put.began = None;
        }
        if self.has(Fault::SessionKeysAreKeptOften) {
            put.fingerprint = self.with(|state| {
                state.session_keys += 1;
                [state.session_keys; 16]
            });
        }
        self.good.put_session_key(put).await
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut keys = self.good.session_keys(self.user(user)).await?;
        if self.has(Fault::SessionKeysAreTwo) {
            keys.truncate(2);
        }
        Ok(keys)
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        if self.has(Fault::EveryTagKeyIsAdded) {
            return Ok(self.with(|state| {
                state.tag_keys.push(offer);
                state.tag_keys.clone()
            }));
        }
        self.good.tag_keys(offer).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.good.now().await
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        let (sender, feed) = Feed::channel(1024);
        let earlier = self.with(|state| {
            state.feeds.push(sender.clone());
            state.subscribed += 1;
            state.subscribed - 1
        });
        let mut source = self.good.subscribe().await?;
        let store = self.clone();
        tokio::spawn(async move {
            while let Some(event) = source.next().await {
                let lost = match &event {
                    FeedEvent::Changed(ids) if ids.len() == 1 => {
                        store.with(|state| state.unspoken.contains(&ids[0]))
                    }
                    _ => false,
                };
                let silent = earlier == 1 && store.has(Fault::FeedReachesOneNode);
                if !lost && !silent && !sender.send(event) {
                    return;
                }
            }
        });
        Ok(feed)
    }
}
