//! The suite for stores: this crate's stores pass it, wrong ones do not.
#![cfg(feature = "test-util")]

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;
use tower_wx_session::store::{
    AnyStore, EndReason, Feed, FeedEvent, FeedSender, Insert, Inserted, Loaded, MemoryStore,
    PutSessionKey, Record, Retire, Revoke, RevokeReason, Rotate, Rotated, SessionStore, StoreError,
    TagKey, Target, Timestamp, Touch,
};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::test_util::conformance::{self, Fixture};
use tower_wx_session::{Identity, SessionId};

/// A store whose time moves only when the suite says so.
struct OnManualClock<S> {
    store: S,
    clock: ManualClock,
    rounds: usize,
}

impl<S: SessionStore + Clone> Fixture for OnManualClock<S> {
    type Store = S;

    fn store(&self) -> S {
        self.store.clone()
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(1)
    }

    async fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    fn rounds(&self) -> usize {
        self.rounds
    }
}

struct InRealTime(MemoryStore);

impl Fixture for InRealTime {
    type Store = MemoryStore;

    fn store(&self) -> MemoryStore {
        self.0.clone()
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(100)
    }

    async fn advance(&self, span: Duration) {
        sleep(span).await;
    }

    fn time_flies(&self) -> bool {
        true
    }
}

fn on_manual_clock<S>(store: impl FnOnce(MemoryStore) -> S) -> OnManualClock<S> {
    let clock = ManualClock::new();
    OnManualClock {
        store: store(MemoryStore::with_clock(clock.clone())),
        clock,
        rounds: 200,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_passes_as_often_as_asked() {
    let fixture = on_manual_clock(|store| store);
    conformance::run(&fixture).await;
    conformance::run(&fixture).await;
}

#[tokio::test]
async fn the_memory_store_passes_on_one_thread() {
    conformance::run(&on_manual_clock(|store| store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_store_passes() {
    conformance::run(&on_manual_clock(AnyStore::new)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_passes_in_real_time() {
    conformance::run(&InRealTime(MemoryStore::new())).await;
}

/// Each fault breaks at least these rules.
const FAULTS: &[(Fault, &[&str])] = &[
    (
        Fault::LoadForgetsReasons,
        &[
            "expiry::a_session_never_used_ends_at_its_idle_timeout",
            "revoke::a_revoked_session_is_over_for_the_reason_given",
        ],
    ),
    (
        Fault::LoadIgnoresTheIdleDeadline,
        &["expiry::a_session_never_used_ends_at_its_idle_timeout"],
    ),
    (
        Fault::InsertOverwrites,
        &[
            "insert::a_taken_id_changes_nothing",
            "insert::an_ended_id_stays_taken",
        ],
    ),
    (
        Fault::CapIsOneMore,
        &[
            "insert::the_cap_ends_the_oldest",
            "insert::the_cap_is_exact_under_concurrency",
        ],
    ),
    (
        Fault::CapIsNotAtomic,
        &["insert::the_cap_is_exact_under_concurrency"],
    ),
    (
        Fault::InsertDoesNotRetire,
        &["retire::the_session_taken_over_from_keeps_a_grace"],
    ),
    (Fault::TouchCreates, &["touch::a_touch_never_creates"]),
    (
        Fault::TouchRevives,
        &[
            "touch::a_touch_never_revives_what_was_revoked",
            "races::no_touch_outruns_a_revocation",
        ],
    ),
    (Fault::TouchGoesByTheClock, &["touch::a_late_touch_counts"]),
    (
        Fault::TouchGoesByTheLastUse,
        &["touch::uses_without_a_gap_count_from_the_first"],
    ),
    (
        Fault::TouchTakesTheFirstUseForGranted,
        &[
            "touch::uses_after_the_deadline_do_not_count",
            "touch::a_use_after_the_deadline_does_not_count",
        ],
    ),
    (
        Fault::TouchGoesByWhatIsRemembered,
        &["touch::a_touch_counts_when_the_end_is_forgotten"],
    ),
    (
        Fault::RevokeGoesByWhatIsRemembered,
        &["revoke::a_session_that_a_late_touch_would_bring_back_can_be_revoked"],
    ),
    (
        Fault::TouchAnswersForItself,
        &["touch::a_touch_that_is_covered_changes_nothing"],
    ),
    (
        Fault::RotateProlongs,
        &["rotate::a_rotation_keeps_the_login"],
    ),
    (
        Fault::RotateIsNotAtomic,
        &["rotate::one_of_many_rotations_lasts"],
    ),
    (
        Fault::RotateCannotBeRepeated,
        &[
            "rotate::a_rotation_can_be_repeated_until_the_new_session_is_used",
            "rotate::one_of_many_rotations_lasts",
        ],
    ),
    (
        Fault::RotateLeavesTheUnused,
        &[
            "rotate::a_rotation_can_be_repeated_until_the_new_session_is_used",
            "rotate::one_of_many_rotations_lasts",
        ],
    ),
    (
        Fault::RotateReplacesTheUsed,
        &[
            "rotate::a_session_whose_successor_was_used_cannot_be_rotated",
            "rotate::a_session_that_a_login_took_over_cannot_be_rotated",
        ],
    ),
    (
        Fault::RevokeForgetsTheSuccessor,
        &["revoke::revoking_in_grace_ends_every_successor"],
    ),
    (
        Fault::RevokeGoesByTheList,
        &["revoke::revoking_a_user_ends_all_of_the_user_s_sessions"],
    ),
    (
        Fault::RevokeOthersEndsTheSuccessor,
        &["revoke::revoking_the_others_spares_one_and_its_successor"],
    ),
    (
        Fault::RevokeEndsLaterSessions,
        &["revoke::sessions_issued_later_are_spared"],
    ),
    (
        Fault::RevokeTellsNothing,
        &["revoke::a_revoked_session_is_over_for_the_reason_given"],
    ),
    (
        Fault::UsersAreMixedUp,
        &["session_keys::they_are_of_one_user_in_one_app"],
    ),
    (
        Fault::SessionKeysGoByArrival,
        &["session_keys::the_newest_is_that_of_the_login_that_began_last"],
    ),
    (
        Fault::SessionKeysAreTwo,
        &["session_keys::a_user_has_the_newest_and_those_before_it"],
    ),
    (
        Fault::SessionKeysAreKeptOften,
        &["session_keys::each_one_is_kept_once"],
    ),
    (
        Fault::EveryTagKeyIsAdded,
        &[
            "tag_keys::one_of_many_is_kept",
            "tag_keys::only_a_newer_one_is_added",
        ],
    ),
    (Fault::FeedLosesRotations, &["feed::replacements_are_told"]),
    (
        Fault::FeedReachesOneNode,
        &["feed::revocations_are_told_to_every_node"],
    ),
    (
        Fault::FeedLeavesOutWhatIsGone,
        &["feed::an_end_of_what_is_gone_is_told"],
    ),
    (Fault::FeedTellsOfTouches, &["feed::nothing_else_is_told"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_a_fault_passes_in_the_disguise_of_the_wrong_ones() {
    conformance::run(&wrong_store(Fault::None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_store_fails_by_the_name_of_the_rule() {
    let runs: Vec<_> = FAULTS
        .iter()
        .map(|(fault, rules)| {
            let fixture = wrong_store(*fault);
            let run = tokio::spawn(async move { conformance::run(&fixture).await });
            (fault, rules, run)
        })
        .collect();
    for (fault, rules, run) in runs {
        let Err(stopped) = run.await else {
            panic!("{fault:?} is not found");
        };
        let panic = stopped.into_panic();
        let message = panic.downcast_ref::<String>().expect("a message");
        for rule in *rules {
            assert!(
                message.contains(rule),
                "{fault:?}: {rule} not in: {message}"
            );
        }
    }
}

fn wrong_store(fault: Fault) -> OnManualClock<WrongStore> {
    OnManualClock {
        rounds: 20,
        ..on_manual_clock(|store| WrongStore::new(store, fault))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
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
struct WrongStore {
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
    fn new(good: MemoryStore, fault: Fault) -> Self {
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
