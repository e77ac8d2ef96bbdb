//! The suite for stores: this crate's stores pass it, wrong ones do not.

use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::store::{AnyStore, MemoryStore, SessionStore};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::test_util::conformance::{self, Fixture};

use super::wrong::{Fault, WrongStore};

/// A store whose time moves only when the suite says so.
pub struct OnManualClock<S> {
    pub store: S,
    pub clock: ManualClock,
    pub rounds: usize,
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

pub struct InRealTime<S>(pub S);

impl<S: SessionStore + Clone> Fixture for InRealTime<S> {
    type Store = S;

    fn store(&self) -> S {
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
