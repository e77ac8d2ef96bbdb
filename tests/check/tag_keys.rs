//! The keys of the tags: what forged tokens cost, and what is left when the store loses a key.

use std::collections::HashSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, advance, sleep};
use tower_wx_session::RejectionKind::{SessionMalformed, SessionUnknown, StoreUnavailable};
use tower_wx_session::Sessions;
use tower_wx_session::store::{MemoryStore, SessionStore, TagKey, Timestamp};
use tower_wx_session::test_util::ManualClock;

use crate::support::forged::{forged, key_of};
use crate::support::nodes::{log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{HookedStore, Op, down};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// Long enough for each node to have looked after the keys twice.
const SECONDS: Duration = Duration::from_secs(11);

/// A store of several processes, whose keys can be lost alone.
fn store_with_keys_apart() -> (ManualClock, HookedStore) {
    let (clock, store) = store_on_a_clock();
    (clock, store.shared().with_keys_of(MemoryStore::new()))
}

async fn kept_keys(store: &HookedStore) -> Vec<TagKey> {
    store.tag_keys(TagKey::new(0, [0; 16])).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_flood_that_names_every_key_costs_one_load_a_second() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let good = log_in(&sessions).await;
    let elsewhere = log_in(&node(&store, &clock)).await;
    settle().await;
    assert_eq!(refusal(&sessions, &good).await, None);
    let (loads, fetches) = (store.calls(Op::Load), store.calls(Op::TagKeys));
    let start = Instant::now();
    for number in 0..10_240 {
        let kind = refusal(&sessions, &forged(number as u8, number)).await;
        let expected = [SessionMalformed, SessionUnknown, StoreUnavailable];
        assert!(expected.contains(&kind.unwrap()), "{kind:?}");
        if number % 1024 == 0 {
            assert_eq!(refusal(&sessions, &good).await, None);
            sleep(SECOND / 2).await;
        }
    }
    let seconds = start.elapsed().as_secs() as usize;
    let loads = store.calls(Op::Load) - loads;
    let fetches = store.calls(Op::TagKeys) - fetches;
    assert!((1..=seconds + 1).contains(&loads), "{loads} in {seconds} s");
    assert!(fetches <= seconds + 1, "{fetches} in {seconds} s");
    assert_eq!(refusal(&sessions, &elsewhere).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_clients_that_hang_up_costs_no_more() {
    let (clock, store) = store_on_a_clock();
    let store = store.before(async |op| {
        if matches!(op, Op::Load | Op::TagKeys) {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    });
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    sleep(SECOND).await;
    let (loads, fetches) = (store.calls(Op::Load), store.calls(Op::TagKeys));
    for number in 0..600 {
        let sessions = sessions.clone();
        let token = forged(number as u8, number);
        let gone = tokio::spawn(async move { refusal(&sessions, &token).await });
        sleep(Duration::from_millis(5)).await;
        gone.abort();
    }
    let (loads, fetches) = (
        store.calls(Op::Load) - loads,
        store.calls(Op::TagKeys) - fetches,
    );
    assert!(loads <= 4 && fetches <= 4, "{loads}, {fetches} in 3 s");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_key_that_was_just_made_elsewhere_passes_at_once() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let old = key_of(&log_in(&sessions).await);
    for number in 0..1024 {
        refusal(&sessions, &forged(number as u8, number)).await;
    }
    advance(SECOND).await;
    let made = TagKey::new(old.wrapping_add(1), [9; 16]).usable_from(Timestamp::from_millis(1));
    store.tag_keys(made).await.unwrap();
    let elsewhere = log_in(&node(&store, &clock)).await;
    assert_eq!(key_of(&elsewhere), old.wrapping_add(1));
    assert_eq!(refusal(&sessions, &elsewhere).await, None);
    // From now on it is known, and so is what is forged.
    let loads = store.calls(Op::Load);
    let forgery = forged(key_of(&elsewhere), 1);
    assert_eq!(refusal(&sessions, &forgery).await, Some(SessionMalformed));
    assert_eq!(store.calls(Op::Load), loads);
}

#[tokio::test(start_paused = true)]
async fn new_keys_have_ids_of_their_own_whenever_they_are_made() {
    let mut ids = HashSet::new();
    for _ in 0..64 {
        let (clock, store) = store_on_a_clock();
        let small = node_with(&store, &clock, |builder| builder.cache_capacity(16));
        ids.insert(key_of(&log_in(&small).await));
    }
    assert!(ids.len() > 32, "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_store_lost_is_put_back_within_seconds() {
    let (clock, store) = store_with_keys_apart();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let before = kept_keys(&store).await;
    store.lose_keys();
    sleep(SECONDS / 2).await;
    assert_eq!(kept_keys(&store).await, before);
    assert_eq!(key_of(&log_in(&node(&store, &clock)).await), key_of(&token));
}

#[tokio::test(start_paused = true)]
async fn old_and_new_nodes_agree_within_seconds_after_the_key_was_lost() {
    for later in [Duration::ZERO, HOUR, 6 * HOUR, 7 * HOUR] {
        let (clock, store) = store_with_keys_apart();
        let old = [node(&store, &clock), node(&store, &clock)];
        log_in(&old[0]).await;
        clock.advance(later);
        let before = log_in(&old[1]).await;
        store.lose_keys();
        let new = node(&store, &clock);
        let after = log_in(&new).await;
        sleep(SECONDS).await;
        assert_eq!(kept_keys(&store).await.len(), 2, "{later:?}");
        for sessions in [&old[0], &old[1], &new, &node(&store, &clock)] {
            assert_eq!(refusal(sessions, &before).await, None, "{later:?}");
            assert_eq!(refusal(sessions, &after).await, None, "{later:?}");
        }
        // It does not go on: nodes that agree add nothing.
        sleep(SECONDS).await;
        assert_eq!(kept_keys(&store).await.len(), 2, "{later:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_whose_key_nobody_knows_any_more_live() {
    let (clock, store) = store_with_keys_apart();
    let gone = node(&store, &clock);
    let mut tokens = Vec::new();
    for _ in 0..20 {
        tokens.push(log_in(&gone).await);
    }
    drop(gone);
    // The new key has to have another id than the lost one.
    store.lose_keys();
    let id = key_of(&tokens[0]).wrapping_add(1);
    store.tag_keys(TagKey::new(id, [7; 16])).await.unwrap();
    let sessions = node(&store, &clock);
    let checks = tokens.into_iter().map(|token| {
        let sessions = sessions.clone();
        tokio::spawn(async move { refusal(&sessions, &token).await })
    });
    for check in checks.collect::<Vec<_>>() {
        assert_eq!(check.await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn users_log_in_again_when_all_is_lost_and_nobody_waits() {
    let clock = ManualClock::new();
    let lost = HookedStore::new(MemoryStore::with_clock(clock.clone()));
    let lost = node(&lost, &clock);
    let mut tokens = Vec::new();
    for _ in 0..1000 {
        tokens.push(log_in(&lost).await);
    }
    // A store keeps its key: where that has the number of the lost one, another store is tried.
    let (store, sessions) = loop {
        let (_, store) = store_on_a_clock();
        let new = node(&store, &clock);
        if key_of(&log_in(&new).await) != key_of(&tokens[0]) {
            break (store, new);
        }
    };
    sleep(SECONDS).await;
    let loads = store.calls(Op::Load);
    for token in tokens {
        assert_eq!(refusal(&sessions, &token).await, Some(SessionUnknown));
    }
    assert_eq!(store.calls(Op::Load), loads + 1);
}

#[tokio::test]
async fn users_of_a_store_in_memory_log_in_again_at_once_after_a_restart() {
    let process = || Sessions::builder(MemoryStore::new()).build().unwrap();
    let before = process();
    let tokens = [log_in(&before).await, log_in(&before).await];
    // One key in 256 has the number of the lost one: then its tokens are malformed.
    let after = process();
    log_in(&after).await;
    for token in tokens {
        let kind = refusal(&after, &token).await;
        assert!(
            matches!(kind, Some(SessionUnknown | SessionMalformed)),
            "{kind:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_just_started_takes_no_key_for_nobodys() {
    let (clock, store) = store_with_keys_apart();
    let old = node(&store, &clock);
    let lost = log_in(&old).await;
    store.lose_keys();
    let id = key_of(&lost).wrapping_add(1);
    store.tag_keys(TagKey::new(id, [7; 16])).await.unwrap();
    let new = node(&store, &clock);
    let after = log_in(&old).await;
    log_in(&new).await;
    // One whose session is gone, and one that lives: the old node has not put the key back yet.
    let gone = forged(key_of(&lost), 0);
    assert_eq!(refusal(&new, &gone).await, Some(SessionUnknown));
    assert_eq!(refusal(&new, &after).await, Some(StoreUnavailable));
    sleep(SECONDS).await;
    assert_eq!(refusal(&new, &after).await, None);
    assert_eq!(refusal(&new, &gone).await, Some(SessionMalformed));
}

/// A store on which an operation fails or hangs while the switch is on.
fn failing(store: HookedStore, failing: Op, hangs: bool) -> (HookedStore, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(true));
    let is_on = switch.clone();
    let store = store.before(move |op| {
        let fails = op == failing && is_on.load(Ordering::SeqCst);
        async move {
            match (fails, hangs) {
                (true, true) => pending().await,
                (true, false) => Err(down()),
                (false, _) => Ok(()),
            }
        }
    });
    (store, switch)
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_while_the_keys_are_out_of_reach_serves_users() {
    for hangs in [false, true] {
        let (clock, store) = store_on_a_clock();
        let issuer = node(&store, &clock);
        let mut tokens = Vec::new();
        for _ in 0..100 {
            tokens.push(log_in(&issuer).await);
        }
        let fetches = store.calls(Op::TagKeys);
        let (store, _) = failing(store, Op::TagKeys, hangs);
        let sessions = node(&store, &clock);
        for token in &tokens {
            assert_eq!(refusal(&sessions, token).await, None);
        }
        assert_eq!(store.calls(Op::TagKeys), fetches + 1);
        sleep(SECOND).await;
        refusal(&sessions, &forged(1, 1)).await;
        assert_eq!(store.calls(Op::TagKeys), fetches + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_prove_is_no_reason_to_log_in() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = failing(store, Op::TagKeys, false);
    is_down.store(false, Ordering::SeqCst);
    let sessions = node(&store, &clock);
    let other = key_of(&log_in(&sessions).await).wrapping_add(1);
    sleep(SECOND).await;
    is_down.store(true, Ordering::SeqCst);
    // The one that is asked about is of nobody; of the others nothing is known.
    assert_eq!(
        refusal(&sessions, &forged(other, 0)).await,
        Some(SessionUnknown)
    );
    assert_eq!(
        refusal(&sessions, &forged(other, 1)).await,
        Some(StoreUnavailable)
    );
    let another = other.wrapping_add(1);
    is_down.store(false, Ordering::SeqCst);
    sleep(SECOND / 2).await;
    assert_eq!(
        refusal(&sessions, &forged(another, 2)).await,
        Some(StoreUnavailable)
    );
}

async fn log_in_at_once(sessions: &Sessions<HookedStore>) -> Vec<bool> {
    let logins = (0..100).map(|_| {
        let sessions = sessions.clone();
        tokio::spawn(async move { sessions.issue(crate::support::nodes::alice()).await.is_ok() })
    });
    let mut outcomes = Vec::new();
    for login in logins.collect::<Vec<_>>() {
        outcomes.push(login.await.unwrap());
    }
    outcomes
}

#[tokio::test(start_paused = true)]
async fn logins_that_wait_for_the_keys_share_one_fetch() {
    let (clock, store) = store_on_a_clock();
    let is_down = Arc::new(AtomicBool::new(true));
    let switch = is_down.clone();
    let store = store.before(move |op| {
        let fails = switch.load(Ordering::SeqCst);
        async move {
            if op == Op::TagKeys {
                sleep(Duration::from_millis(20)).await;
                return if fails { Err(down()) } else { Ok(()) };
            }
            Ok(())
        }
    });
    let sessions = node(&store, &clock);
    assert_eq!(log_in_at_once(&sessions).await, [false; 100]);
    assert_eq!(store.calls(Op::TagKeys), 1);
    // The next ones do not wait for a second to pass.
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(log_in_at_once(&sessions).await, [true; 100]);
    assert_eq!(store.calls(Op::TagKeys), 2);
}
