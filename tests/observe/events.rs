//! What the log says of an outage: when it begins and when it is over, and no more at `info`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::login::{SessionKeyCheck, Validity};
use tower_wx_session::sessions::{KeyCheckPolicy, Revocation};
use tower_wx_session::store::{PutSessionKey, SessionStore};
use tower_wx_session::test_util::{Chaos, ChaosStore};
use tower_wx_session::{Identity, SessionKey};
use tracing::Level;

use crate::support::log::Log;
use crate::support::nodes::{alice, log_in, node, node_with, refusal, settle, store_on_a_clock};
use crate::support::{Op, down, switchable};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_is_one_warning_and_one_word_when_it_is_over() {
    let (log, _guard) = Log::from(Level::INFO);
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    assert_eq!(log.take("session store"), [""; 0]);
    is_down.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        sessions.issue(alice()).await.unwrap_err();
    }
    let failed = "WARN tower_wx_session: session store failed \
                  error=session store unavailable: the test has it down";
    assert_eq!(log.take("session store"), [failed]);
    is_down.store(false, Ordering::SeqCst);
    clock.advance(3 * SECOND);
    log_in(&sessions).await;
    log_in(&sessions).await;
    let back = "INFO tower_wx_session: session store is back failures=20 seconds=3";
    assert_eq!(log.take("session store"), [back]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_reads_and_takes_no_writes_is_back_when_it_takes_them() {
    let (log, _guard) = Log::from(Level::INFO);
    let (clock, store) = store_on_a_clock();
    let chaos = Chaos::seeded(1);
    let sessions = node(&ChaosStore::new(store, chaos.clone()), &clock);
    log_in(&sessions).await;
    chaos.refuse_writes();
    for _ in 0..10 {
        clock.advance(2 * SECOND);
        sessions.ready().await.unwrap_err();
    }
    let told = log.take("session store");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("WARN tower_wx_session: session store failed"));
    chaos.calm();
    clock.advance(2 * SECOND);
    sessions.ready().await.unwrap();
    let again = "INFO tower_wx_session: session store takes writes again failures=10 seconds=20";
    assert_eq!(log.take("session store"), [again]);
}

#[tokio::test(start_paused = true)]
async fn each_failure_is_there_for_whoever_looks_closer() {
    let (log, _guard) = Log::from(Level::DEBUG);
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    is_down.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        sessions.issue(alice()).await.unwrap_err();
    }
    // After five the breaker keeps the store from being asked.
    let told = log.take("session store");
    let failed = told.iter().filter(|event| event.contains("failed"));
    assert_eq!(failed.count(), 5);
    let opened = "ERROR tower_wx_session: session store is down: \
                  it is not asked until it answers a probe";
    assert_eq!(told.last().unwrap(), opened);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_cannot_be_had_is_told_once_and_once_more_when_it_is_there() {
    let (log, _guard) = Log::from(Level::INFO);
    let (clock, store) = store_on_a_clock();
    let is_down = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&is_down);
    let store = store.before(move |op| {
        let fails = op == Op::Subscribe && is_down.load(Ordering::SeqCst);
        async move { if fails { Err(down()) } else { Ok(()) } }
    });
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    sleep(10 * SECOND).await;
    let lines = log.take("link");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN tower_wx_session: no link for revocations error="));
    switch.store(false, Ordering::SeqCst);
    sleep(10 * SECOND).await;
    assert_eq!(
        log.take("link"),
        ["INFO tower_wx_session: link for revocations up"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_link_that_ends_is_told_and_the_end_of_the_node_is_not() {
    let (log, _guard) = Log::from(Level::INFO);
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store.clone().with_dead_links(), &clock);
    log_in(&sessions).await;
    settle().await;
    let up = "INFO tower_wx_session: link for revocations up";
    let lost = "WARN tower_wx_session: link for revocations lost";
    assert_eq!(log.take("link"), [up, lost]);
    drop(sessions);
    settle().await;
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    settle().await;
    drop(sessions);
    settle().await;
    assert_eq!(log.take("link"), [up]);
}

#[tokio::test(start_paused = true)]
async fn pending_revocations_are_told_of_once_until_none_is_left() {
    let (log, _guard) = Log::from(Level::INFO);
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    log_in(&sessions).await;
    is_down.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        let answer = sessions.kick_out(alice()).await.unwrap();
        assert_eq!(answer, Revocation::Pending);
    }
    let lines = log.take("revocation");
    let pending = lines.iter().filter(|line| line.contains("pending until"));
    assert_eq!(pending.count(), 1, "{lines:?}");
    is_down.store(false, Ordering::SeqCst);
    sessions.shutdown().await.unwrap();
    settle().await;
    let lines = log.take("revocation is pending");
    assert_eq!(
        lines,
        ["INFO tower_wx_session: no revocation is pending any longer"]
    );
}

#[tokio::test(start_paused = true)]
async fn pending_revocations_outlive_the_last_handle_for_a_minute_and_are_then_lost() {
    for pending in [1, 2, 100] {
        let (log, _guard) = Log::from(Level::INFO);
        let (clock, store) = store_on_a_clock();
        let store = store.before(async |op| match op {
            Op::Revoke => Err(down()),
            _ => Ok(()),
        });
        let sessions = node(&store, &clock);
        log_in(&sessions).await;
        for _ in 0..pending {
            let answer = sessions.kick_out(alice()).await.unwrap();
            assert_eq!(answer, Revocation::Pending);
        }
        sleep(120 * SECOND).await;
        drop(sessions);
        sleep(59 * SECOND).await;
        assert_eq!(log.take("lost"), [""; 0]);
        let calls = store.calls(Op::Revoke);
        sleep(10 * SECOND).await;
        let lost = format!(
            "ERROR tower_wx_session: pending revocations lost: the session store was not told \
             before the last handle went revocations={pending}"
        );
        assert_eq!(log.take("lost"), [lost]);
        assert!(store.calls(Op::Revoke) > calls);
        let calls = store.calls(Op::Revoke);
        sleep(10 * SECOND).await;
        assert_eq!(store.calls(Op::Revoke), calls, "somebody still tries");
    }
}

#[tokio::test(start_paused = true)]
async fn pending_revocations_are_done_after_the_last_handle_is_gone() {
    let (log, _guard) = Log::from(Level::INFO);
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let token = {
        let sessions = node(&store, &clock);
        let token = log_in(&sessions).await;
        is_down.store(true, Ordering::SeqCst);
        let answer = sessions.kick_out(alice()).await.unwrap();
        assert_eq!(answer, Revocation::Pending);
        token
    };
    sleep(50 * SECOND).await;
    is_down.store(false, Ordering::SeqCst);
    sleep(2 * SECOND).await;
    let another = node(&store, &clock);
    assert!(refusal(&another, &token).await.is_some());
    assert_eq!(log.take("lost"), [""; 0]);
}

#[test]
fn pending_revocations_that_end_with_the_runtime_are_lost() {
    let (log, _guard) = Log::from(Level::INFO);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (clock, store) = store_on_a_clock();
        let (store, is_down) = switchable(store);
        let sessions = node(&store, &clock);
        log_in(&sessions).await;
        is_down.store(true, Ordering::SeqCst);
        sessions.kick_out(alice()).await.unwrap();
    });
    drop(runtime);
    assert_eq!(log.take("pending revocations lost").len(), 1);
}

#[tokio::test]
async fn what_waits_for_the_store_has_spans_and_a_hit_has_none() {
    let (log, _guard) = Log::from(Level::TRACE);
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let sessions = node(&store, &clock);
    // What is asked before the link is up is asked once more.
    log_in(&sessions).await;
    settle().await;
    log.take("");
    assert_eq!(refusal(&sessions, &token).await, None);
    settle().await;
    let load = "session check:session store{otel.kind=\"client\" db.operation.name=\"load\"}";
    assert!(log.text().contains(load), "{}", log.text());
    log.take("");

    assert_eq!(refusal(&sessions, &token).await, None);
    assert_eq!(log.text(), "");

    sessions.kick_out(alice()).await.unwrap();
    let revoke =
        "session revocation:session store{otel.kind=\"client\" db.operation.name=\"revoke\"}";
    assert!(log.text().contains(revoke), "{}", log.text());
    assert!(refusal(&sessions, &token).await.is_some());
    let check = "session check{error.type=\"session_kicked_out\"}";
    assert!(log.text().contains(check), "{}", log.text());
    assert!(!log.text().contains("alice"));
}

/// A platform that is out of order while the switch is on.
struct Platform(Arc<AtomicBool>);

impl SessionKeyCheck for Platform {
    async fn check_session_key(&self, _: &Identity, _: &SessionKey) -> Validity {
        match self.0.load(Ordering::SeqCst) {
            true => Validity::cannot_tell("the test has it busy"),
            false => Validity::Valid,
        }
    }
}

#[tokio::test]
async fn an_outage_of_what_checks_session_keys_is_one_warning_and_one_word_when_it_is_over() {
    let (log, _guard) = Log::from(Level::TRACE);
    let (clock, store) = store_on_a_clock();
    let is_out = Arc::new(AtomicBool::new(true));
    let policy = KeyCheckPolicy::default().with_interval(60 * SECOND);
    let sessions = node_with(&store, &clock, |builder| {
        let platform = Platform(Arc::clone(&is_out));
        builder
            .following_session_keys(platform)
            .key_check_policy(policy)
    });
    let put = PutSessionKey::new(alice(), b"key".into(), [0; 16], 3600 * SECOND, SECOND);
    store.inner.put_session_key(put).await.unwrap();
    let token = log_in(&sessions).await;
    for is_out_now in [true, true, true, false, false] {
        is_out.store(is_out_now, Ordering::SeqCst);
        clock.advance(60 * SECOND);
        assert_eq!(refusal(&sessions, &token).await, None);
        settle().await;
    }
    let look =
        "session_key check:session store{otel.kind=\"client\" db.operation.name=\"session_keys\"}";
    assert!(log.text().contains(look), "{}", log.text());
    assert!(!log.text().contains("alice"));
    let told = log.take("session_key check");
    let told: Vec<_> = (told.iter())
        .filter(|event| event.contains("failed") || event.contains("again"))
        .collect();
    let failed = "session_key check failed error=the platform cannot tell whether a session_key \
                  is good: the test has it busy";
    let (debug, back) = (told[1], told.last().unwrap());
    assert!(
        told[0].contains("WARN") && told[0].contains(failed),
        "{told:?}"
    );
    assert!(
        debug.contains("DEBUG") && debug.contains(failed),
        "{told:?}"
    );
    assert!(
        back.ends_with("session_key checks work again failures=3 seconds=180"),
        "{told:?}"
    );
    assert_eq!(told.len(), 4, "{told:?}");
}
