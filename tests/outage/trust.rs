//! What a store that fails, hangs or tells another time may not lead to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_wx_session::RejectionKind::{SessionKickedOut, SessionRevoked, StoreUnavailable};
use tower_wx_session::sessions::{OutagePolicy, Revocation};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, Sessions};

use crate::support::nodes::{
    ROOM, alice, log_in, node, node_with, refusal, settle, store_on_a_clock,
};
use crate::support::{Op, down, switchable};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_was_over_in_the_store_when_it_was_revoked_here_gets_no_pass() {
    let (clock, store) = store_on_a_clock();
    // Neither node hears of what the other one does.
    let deaf = store.before(async |op| {
        if op == Op::Subscribe {
            Err(down())
        } else {
            Ok(())
        }
    });
    let (deaf, other) = (deaf.clone(), node(&deaf, &clock));
    let is_down = Arc::new(AtomicBool::new(false));
    let switch = is_down.clone();
    let failing = deaf.after(move |op| {
        let is_down = is_down.load(Ordering::SeqCst) && op != Op::Subscribe;
        async move { if is_down { Err(down()) } else { Ok(()) } }
    });
    let here = node(&failing, &clock);
    let issued = here.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    assert_eq!(refusal(&here, token).await, None);
    other.kick_out(issued.session()).await.unwrap();
    assert_eq!(
        here.kick_out(issued.session()).await.unwrap(),
        Revocation::Done(0)
    );
    clock.advance(SECOND);
    switch.store(true, Ordering::SeqCst);
    assert!(refusal(&here, token).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_revocation_whose_acknowledgement_was_lost_gives_no_pass() {
    let (clock, store) = store_on_a_clock();
    let is_lost = Arc::new(AtomicBool::new(false));
    let switch = is_lost.clone();
    let is_down = Arc::new(AtomicBool::new(false));
    let all_down = is_down.clone();
    let store = store
        .before(move |op| {
            let fails = is_down.load(Ordering::SeqCst) || op == Op::Subscribe;
            async move { if fails { Err(down()) } else { Ok(()) } }
        })
        .after(move |op| {
            let fails = op == Op::Revoke && is_lost.load(Ordering::SeqCst);
            async move { if fails { Err(down()) } else { Ok(()) } }
        });
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    switch.store(true, Ordering::SeqCst);
    assert_eq!(
        sessions.revoke_user(&alice()).await.unwrap(),
        Revocation::Pending
    );
    switch.store(false, Ordering::SeqCst);
    sessions.shutdown().await.unwrap();
    clock.advance(SECOND);
    all_down.store(true, Ordering::SeqCst);
    assert!(refusal(&sessions, &token).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn who_logged_in_a_second_before_an_outage_passes_also_with_a_full_cache() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node_with(&store, &clock, |builder| builder.cache_capacity(500));
    let log_in_and_use = async |users: std::ops::Range<usize>, uses: usize| {
        let mut tokens = Vec::new();
        for user in users {
            let user = Identity::new("appid", format!("user{user}"));
            let issued = sessions.issue(user).await.unwrap();
            tokens.push(issued.token().expose().to_owned());
        }
        for token in tokens.iter().cycle().take(uses * tokens.len()) {
            assert_eq!(refusal(&sessions, token).await, None);
        }
        tokens
    };
    // The cache has been full for long, of sessions that are used a lot.
    let old = log_in_and_use(0..500, 1).await;
    for _ in 0..10 {
        clock.advance(31 * SECOND);
        for token in &old {
            assert_eq!(refusal(&sessions, token).await, None);
        }
    }
    let new = log_in_and_use(500..700, 0).await;
    clock.advance(SECOND);
    // What a cache puts off is done from time to time.
    sleep(6 * SECOND).await;
    is_down.store(true, Ordering::SeqCst);
    let mut refused = 0;
    for token in &new {
        refused += usize::from(refusal(&sessions, token).await.is_some());
    }
    assert_eq!(refused, 0, "of {}", new.len());
}

#[tokio::test]
async fn a_node_whose_wall_clock_is_wrong_goes_by_the_store_s() {
    let hour = Duration::from_secs(3600);
    let store_clock = ManualClock::new();
    let ahead = ManualClock::new();
    ahead.advance(hour);
    let store = MemoryStore::with_clock(store_clock.clone());
    let half_an_hour =
        |clock: &ManualClock| node_with(&store, clock, |builder| builder.idle_timeout(hour / 2));
    let right = half_an_hour(&store_clock);
    let token = log_in(&right).await;
    assert_eq!(refusal(&half_an_hour(&ahead), &token).await, None);

    store_clock.advance(2 * hour);
    let behind = half_an_hour(&ahead);
    let token = log_in(&behind).await;
    assert_eq!(refusal(&behind, &token).await, None);
    assert_eq!(refusal(&right, &token).await, None);
}

#[tokio::test]
async fn a_session_lasts_what_it_says_however_long_it_took_to_store_it() {
    let (clock, store) = store_on_a_clock();
    let slow = clock.clone();
    let store = store.after(move |op| {
        slow.advance(Duration::from_millis(if op == Op::Insert { 2 } else { 0 }));
        async { Ok(()) }
    });
    let sessions = node(&store, &clock);
    let issued = sessions.issue(alice()).await.unwrap();
    assert_eq!(issued.expires_in(), Duration::from_secs(7200));
    clock.advance(Duration::from_secs(30 * 24 * 3600 - 7200 - 100));
    let short = node_with(&store, &clock, |builder| builder.lifetime(60 * SECOND));
    let issued = short.issue(alice()).await.unwrap();
    assert_eq!(issued.expires_in(), 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn issuing_and_rotating_wait_for_one_deadline() {
    let (clock, store) = store_on_a_clock();
    let issued = node(&store, &clock).issue(alice()).await.unwrap();
    let store = store.before(async |_| {
        sleep(Duration::from_millis(200)).await;
        Ok(())
    });
    let started = Instant::now();
    let sessions = node(&store, &clock);
    assert_eq!(
        sessions.issue(alice()).await.unwrap_err().kind(),
        StoreUnavailable
    );
    assert_eq!(started.elapsed(), Duration::from_millis(250));
    let rotated = sessions.rotate(issued.session().id()).await;
    assert_eq!(rotated.unwrap_err().kind(), StoreUnavailable);
    assert_eq!(started.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn one_revocation_that_cannot_succeed_holds_up_no_other() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store.unable_to_revoke(alice()));
    let (here, there) = (node(&store, &clock), node(&store, &clock));
    let bob = Identity::new("appid", "bob");
    let issued = here.issue(bob.clone()).await.unwrap();
    let token = issued.token().expose();
    assert_eq!(refusal(&there, token).await, None);
    settle().await;
    is_down.store(true, Ordering::SeqCst);
    for user in [alice(), bob] {
        let pending = here.revoke_user(&user).await.unwrap();
        assert_eq!(pending, Revocation::Pending);
    }
    is_down.store(false, Ordering::SeqCst);
    here.shutdown().await.unwrap();
    settle().await;
    assert_eq!(refusal(&there, token).await, Some(SessionRevoked));
}

#[tokio::test]
async fn a_pending_revocation_of_an_old_token_ends_its_successor_here_too() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let old = sessions.issue(alice()).await.unwrap();
    let new = sessions.rotate(old.session().id()).await.unwrap();
    assert_eq!(refusal(&sessions, old.token().expose()).await, None);
    is_down.store(true, Ordering::SeqCst);
    let pending = sessions.kick_out(old.session()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    for issued in [&old, &new] {
        let kind = refusal(&sessions, issued.token().expose()).await;
        assert_eq!(kind, Some(SessionKickedOut));
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_ends_at_once_is_asked_for_once_a_second() {
    let clock = ManualClock::new();
    let store = crate::support::HookedStore::new(MemoryStore::with_clock(clock.clone()));
    let store = store.with_dead_links();
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    sleep(Duration::from_millis(9500)).await;
    assert_eq!(store.calls(Op::Subscribe), 10);
}

#[tokio::test]
async fn extreme_settings_are_no_reason_to_panic() {
    try_extremes_in_a_cache_of(ROOM).await;
}

/// What it has room for takes long to make and to throw away.
#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn nor_is_the_largest_cache() {
    try_extremes_in_a_cache_of(u64::MAX).await;
}

async fn try_extremes_in_a_cache_of(capacity: u64) {
    let sessions = Sessions::builder(MemoryStore::new())
        .idle_timeout(Duration::MAX)
        .lifetime(Duration::MAX)
        .rotation_grace(Duration::MAX)
        .cache_capacity(capacity)
        .fresh_for(Duration::MAX)
        .fresh_for_without_link(Duration::MAX)
        .outage_policy(OutagePolicy::ServeKnown(Duration::MAX))
        .store_deadline(Duration::MAX)
        .loads_in_flight(usize::MAX)
        .pending_revocations(usize::MAX)
        .sessions_per_user(usize::MAX)
        .build()
        .unwrap();
    let issued = sessions.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    for _ in 0..3 {
        assert_eq!(refusal(&sessions, token).await, None);
        settle().await;
    }
    assert!(sessions.check(token).await.unwrap().idle_expires_at() > issued.session().issued_at());
    sessions.rotate(issued.session().id()).await.unwrap();
    sessions.kick_out(issued.session()).await.unwrap();
    sessions.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rotation_does_not_get_around_a_pending_revocation() {
    let (clock, store) = store_on_a_clock();
    let store = store.before(async |op| {
        if op == Op::Revoke {
            Err(down())
        } else {
            Ok(())
        }
    });
    let sessions = node(&store, &clock);
    let issued = sessions.issue(alice()).await.unwrap();
    let pending = sessions.revoke_user(&alice()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    let rotated = sessions.rotate(issued.session().id()).await;
    assert_eq!(rotated.unwrap_err().kind(), SessionRevoked);

    // The other way round, with an old token that nobody has used since the rotation.
    let old = sessions.issue(Identity::new("appid", "bob")).await.unwrap();
    let new = sessions.rotate(old.session().id()).await.unwrap();
    let pending = sessions.kick_out(old.session()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    let kind = refusal(&sessions, new.token().expose()).await;
    assert_eq!(kind, Some(SessionKickedOut));
}

#[tokio::test]
async fn the_first_revocation_of_a_node_with_a_slow_clock_spares_nobody() {
    let store_clock = ManualClock::new();
    let slow = ManualClock::new();
    store_clock.advance(60 * SECOND);
    let store = MemoryStore::with_clock(store_clock.clone());
    let issuer = node(&store, &store_clock);
    let token = log_in(&issuer).await;
    let admin = node(&store, &slow);
    assert_eq!(admin.kick_out(alice()).await.unwrap(), Revocation::Done(1));
    settle().await;
    assert_eq!(refusal(&issuer, &token).await, Some(SessionKickedOut));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_during_a_shutdown_is_as_good_as_any() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let issued = sessions.issue(alice()).await.unwrap();
    is_down.store(true, Ordering::SeqCst);
    sessions.kick_out(alice()).await.unwrap();
    let flush = sessions.clone();
    let shutdown = tokio::spawn(async move { flush.shutdown().await });
    settle().await;
    let pending = sessions.kick_out(issued.session()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    is_down.store(false, Ordering::SeqCst);
    shutdown.await.unwrap().unwrap();
    let elsewhere = refusal(&node(&store, &clock), issued.token().expose()).await;
    assert_eq!(elsewhere, Some(SessionKickedOut));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_revocation_that_nobody_waits_for() {
    let (clock, store) = store_on_a_clock();
    let store = store.before(async |op| {
        if op == Op::Revoke {
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    });
    let sessions = node(&store, &clock);
    let issued = sessions.issue(alice()).await.unwrap();
    let logout = tokio::spawn({
        let (sessions, session) = (sessions.clone(), issued.session().clone());
        async move { sessions.kick_out(&session).await }
    });
    settle().await;
    logout.abort();
    sessions.shutdown().await.unwrap();
    let elsewhere = refusal(&node(&store, &clock), issued.token().expose()).await;
    assert_eq!(elsewhere, Some(SessionKickedOut));
}
