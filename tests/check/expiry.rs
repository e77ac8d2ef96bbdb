//! When a session ends, to the millisecond.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tower_wx_session::Identity;
use tower_wx_session::RejectionKind::{
    SessionExpired, SessionIdleExpired, SessionReplaced, SessionUnknown, StoreUnavailable,
};
use tower_wx_session::sessions::OutagePolicy;

use crate::support::nodes::{alice, log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{Op, switchable};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const IDLE: Duration = Duration::from_secs(2 * 3600);
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

#[tokio::test]
async fn a_session_never_used_ends_exactly_at_its_idle_timeout() {
    for is_cold in [false, true] {
        let (clock, store) = store_on_a_clock();
        let issuer = node(&store, &clock);
        let late = log_in(&issuer).await;
        clock.advance(MS);
        let early = log_in(&issuer).await;
        clock.advance(IDLE - MS);
        let sessions = if is_cold {
            node(&store, &clock)
        } else {
            issuer
        };
        assert_eq!(refusal(&sessions, &late).await, Some(SessionIdleExpired));
        assert_eq!(refusal(&sessions, &early).await, None);
    }
}

#[tokio::test]
async fn a_used_session_ends_no_earlier_than_its_idle_timeout_and_a_tenth_later_at_most() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    for last_use in [MS, SECOND, HOUR, IDLE - MS] {
        for (rest, expected) in [
            (IDLE - MS, None),
            (IDLE + IDLE / 10, Some(SessionIdleExpired)),
        ] {
            let token = log_in(&sessions).await;
            clock.advance(last_use);
            assert_eq!(refusal(&sessions, &token).await, None);
            settle().await;
            clock.advance(rest);
            assert_eq!(refusal(&sessions, &token).await, expected, "{last_use:?}");
        }
    }
}

#[tokio::test]
async fn uses_anywhere_keep_a_session_alive_everywhere() {
    let (clock, store) = store_on_a_clock();
    let (here, there) = (node(&store, &clock), node(&store, &clock));
    let token = log_in(&here).await;
    for _ in 0..40 {
        clock.advance(IDLE / 10 - MS);
        assert_eq!(refusal(&there, &token).await, None);
        settle().await;
    }
    // Long idle as far as this node has seen; it asks before it refuses.
    assert_eq!(refusal(&here, &token).await, None);
}

#[tokio::test]
async fn the_absolute_lifetime_ends_a_session_in_full_use() {
    let (clock, store) = store_on_a_clock();
    let (here, there) = (node(&store, &clock), node(&store, &clock));
    let token = log_in(&here).await;
    let step = IDLE / 2;
    let steps = LIFETIME.as_millis() / step.as_millis();
    for _ in 0..steps - 1 {
        clock.advance(step);
        assert_eq!(refusal(&here, &token).await, None);
        settle().await;
    }
    clock.advance(step - MS);
    assert_eq!(refusal(&here, &token).await, None);
    assert_eq!(refusal(&there, &token).await, None);
    clock.advance(MS);
    assert_eq!(refusal(&here, &token).await, Some(SessionExpired));
    assert_eq!(refusal(&there, &token).await, Some(SessionExpired));
}

#[tokio::test]
async fn an_end_is_remembered_for_one_more_idle_timeout() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    clock.advance(2 * IDLE - MS);
    assert_eq!(refusal(&sessions, &token).await, Some(SessionIdleExpired));
    clock.advance(Duration::from_secs(6));
    assert_eq!(refusal(&sessions, &token).await, Some(SessionUnknown));
}

#[tokio::test]
async fn the_store_is_told_of_uses_once_per_tenth_of_the_idle_timeout() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    for _ in 0..IDLE.as_secs() {
        clock.advance(SECOND);
        assert_eq!(refusal(&sessions, &token).await, None);
        settle().await;
    }
    let touches = store.calls(Op::Touch);
    assert!(
        (10..=11).contains(&touches),
        "{touches} touches in ten tenths"
    );
}

#[tokio::test(start_paused = true)]
async fn a_use_is_told_until_the_store_takes_it() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    is_down.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(refusal(&sessions, &token).await, None);
    }
    settle().await;
    assert_eq!(store.calls(Op::Touch), 1, "one attempt for all uses");
    is_down.store(false, Ordering::SeqCst);
    sessions.shutdown().await.unwrap();
    assert_eq!(store.calls(Op::Touch), 2);
    clock.advance(IDLE);
    assert_eq!(refusal(&node(&store, &clock), &token).await, None);
}

#[tokio::test]
async fn a_use_during_an_outage_is_told_before_the_store_is_asked_again() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node_with(&store, &clock, |builder| builder.idle_timeout(50 * SECOND));
    let token = log_in(&sessions).await;
    is_down.store(true, Ordering::SeqCst);
    clock.advance(49 * SECOND);
    assert_eq!(refusal(&sessions, &token).await, None);
    settle().await;
    clock.advance(12 * SECOND);
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(refusal(&sessions, &token).await, None);
}

#[tokio::test]
async fn an_idle_session_is_not_refused_without_the_store_s_word() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    clock.advance(IDLE + MS);
    sessions.list(&alice()).await.unwrap();
    is_down.store(true, Ordering::SeqCst);
    assert_eq!(refusal(&sessions, &token).await, Some(StoreUnavailable));
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(refusal(&sessions, &token).await, Some(SessionIdleExpired));
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_during_an_outage_is_not_found_idle_after_it() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let [here, there] =
        [(), ()].map(|()| node_with(&store, &clock, |builder| builder.idle_timeout(30 * SECOND)));
    let used = log_in(&here).await;
    let unused = log_in(&here).await;
    clock.advance(10 * SECOND);
    is_down.store(true, Ordering::SeqCst);
    assert_eq!(refusal(&there, &used).await, Some(StoreUnavailable));
    clock.advance(10 * SECOND);
    assert_eq!(refusal(&here, &used).await, None);
    settle().await;
    clock.advance(20 * SECOND);

    // Both are idle by what the store knows, and only one of them is in truth.
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(refusal(&there, &used).await, Some(StoreUnavailable));
    assert_eq!(refusal(&there, &unused).await, Some(StoreUnavailable));
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(refusal(&there, &used).await, None);
    clock.advance(5 * SECOND - MS);
    assert_eq!(refusal(&there, &unused).await, Some(StoreUnavailable));
    clock.advance(MS);
    assert_eq!(refusal(&there, &unused).await, Some(SessionIdleExpired));
}

#[tokio::test(start_paused = true)]
async fn a_straggling_failure_takes_nobody_s_time_for_late_uses() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let [here, there] = [node(&store, &clock), node(&store, &clock)];
    let [idle, first, second] = [
        log_in(&here).await,
        log_in(&here).await,
        log_in(&here).await,
    ];
    clock.advance(IDLE - SECOND);
    for (token, down) in [(&first, true), (&first, false), (&second, true)] {
        is_down.store(down, Ordering::SeqCst);
        refusal(&there, token).await;
        clock.advance(2 * SECOND);
    }
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(refusal(&there, &idle).await, Some(StoreUnavailable));
}

#[tokio::test]
async fn an_outage_is_a_pass_for_known_sessions_until_their_grace_ends() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let known = log_in(&sessions).await;
    let unknown = log_in(&node(&store, &clock)).await;
    settle().await;
    is_down.store(true, Ordering::SeqCst);

    clock.advance(60 * SECOND - MS);
    assert_eq!(refusal(&sessions, &known).await, None);
    assert_eq!(refusal(&sessions, &unknown).await, Some(StoreUnavailable));
    clock.advance(MS);
    assert_eq!(refusal(&sessions, &known).await, Some(StoreUnavailable));

    is_down.store(false, Ordering::SeqCst);
    assert_eq!(refusal(&sessions, &known).await, None);
    assert_eq!(refusal(&sessions, &unknown).await, None);
}

#[tokio::test]
async fn without_grace_nothing_passes_beyond_fresh_for() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node_with(&store, &clock, |builder| {
        builder.outage_policy(OutagePolicy::Strict)
    });
    let token = log_in(&sessions).await;
    settle().await;
    assert_eq!(refusal(&sessions, &token).await, None);
    settle().await;
    // From before the link; from now on it is confirmed over a link that lives.
    clock.advance(31 * SECOND);
    assert_eq!(refusal(&sessions, &token).await, None);
    is_down.store(true, Ordering::SeqCst);
    clock.advance(30 * SECOND - MS);
    assert_eq!(refusal(&sessions, &token).await, None);
    settle().await;
    clock.advance(MS);
    assert_eq!(refusal(&sessions, &token).await, Some(StoreUnavailable));
}

#[tokio::test]
async fn a_session_in_use_is_confirmed_in_the_background() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    settle().await;
    // From before the link, so that a use after 3 s is confirmed.
    clock.advance(3 * SECOND);
    assert_eq!(refusal(&sessions, &token).await, None);
    settle().await;
    for _ in 0..10 {
        clock.advance(25 * SECOND);
        let loads = store.calls(Op::Load);
        assert_eq!(refusal(&sessions, &token).await, None);
        assert_eq!(
            store.calls(Op::Load),
            loads,
            "the request waited for the store"
        );
        settle().await;
        assert_eq!(store.calls(Op::Load), loads + 1);
    }
}

#[tokio::test]
async fn a_rotated_token_is_good_for_its_grace() {
    let (clock, store) = store_on_a_clock();
    let (here, there) = (node(&store, &clock), node(&store, &clock));
    let first = here.issue(Identity::new("appid", "alice")).await.unwrap();
    let old = first.token().expose();
    assert_eq!(refusal(&there, old).await, None);
    clock.advance(HOUR);
    let second = here.rotate(first.session().id()).await.unwrap();
    let new = second.token().expose();
    assert_eq!(second.session().issued_at(), first.session().issued_at());
    assert_eq!(second.session().expires_at(), first.session().expires_at());

    assert_eq!(refusal(&there, new).await, None);
    settle().await;
    let again = here.rotate(first.session().id()).await.unwrap_err();
    assert_eq!(again.kind(), SessionReplaced);
    clock.advance(30 * SECOND - MS);
    for sessions in [&here, &there] {
        assert_eq!(refusal(sessions, old).await, None);
        assert_eq!(refusal(sessions, new).await, None);
    }
    clock.advance(MS);
    for sessions in [&here, &there] {
        assert_eq!(refusal(sessions, old).await, Some(SessionReplaced));
        assert_eq!(refusal(sessions, new).await, None);
    }
}

#[tokio::test]
async fn a_session_tells_when_it_ends() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let issued = sessions
        .issue(Identity::new("appid", "alice"))
        .await
        .unwrap();
    let session = issued.session();
    let start = SystemTime::from(clock.now());
    assert_eq!(session.issued_at(), start);
    assert_eq!(session.expires_at(), start + LIFETIME);
    assert_eq!(session.idle_expires_at(), start + IDLE);
    clock.advance(HOUR);
    let used = sessions.check(issued.token().expose()).await.unwrap();
    assert_eq!(used.idle_expires_at(), start + HOUR + IDLE);
}
