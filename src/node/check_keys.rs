//! Has the platform say whether users' session_keys are good, and ends sessions whose key is over.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Node;
use super::key_checks::KeyChecks;
use super::revoke::CLOCK_SKEW;
use crate::identity::Identity;
use crate::observe::meter::{self, KeyCheck};
use crate::observe::trace;
use crate::session::Session;
use crate::session_key::{AnyCheck, SessionKey, Validity};
use crate::store::{Revoke, RevokeReason, SessionStore, StoreError};
use crate::time::{Clock, Timestamp};

/// The longest that the platform may take: as long as a login.
const LONGEST: Duration = Duration::from_secs(10);

/// A key that was newest when its check began.
struct Checked {
    user: Identity,
    key: SessionKey,
    began: Timestamp,
}

impl<S: SessionStore> Node<S> {
    /// Has the session_key of a session's user checked, if that is wanted and due.
    ///
    /// Called where a session was read from the store: a hit knows nothing of it.
    pub(super) fn check_key_later(self: &Arc<Self>, session: &Session) {
        let Some(check) = &self.config.key_check else {
            return;
        };
        if !check.knows(session.appid()) {
            return;
        }
        self.key_checks.add(session, self.clock.read());
        // Each time: another runtime may have ended, and its worker with it.
        self.tasks.key_checker.start(|| {
            let worker = Worker {
                node: Arc::downgrade(self),
                checks: Arc::clone(&self.key_checks),
                check: check.clone(),
                clock: self.clock.clone(),
            };
            until_closed(worker, self.alive.subscribe())
        });
    }

    async fn newest_key(self: &Arc<Self>, user: &Identity) -> Result<SessionKey, KeyCheck> {
        match self.session_keys(user).await {
            Ok(keys) => keys.newest().cloned().ok_or(KeyCheck::NoKey),
            Err(_) => Err(KeyCheck::StoreUnavailable),
        }
    }

    async fn conclude_check(self: &Arc<Self>, checked: &Checked, validity: &Validity) -> KeyCheck {
        self.key_checks.note(validity, self.clock.uptime());
        match validity {
            Validity::Valid => KeyCheck::Valid,
            Validity::CannotTell(_) => KeyCheck::CannotTell,
            Validity::Over => self.end_unless_replaced(checked).await,
        }
    }

    /// Who has logged in since has another key, which nobody has checked.
    async fn end_unless_replaced(self: &Arc<Self>, checked: &Checked) -> KeyCheck {
        match self.newest_key(&checked.user).await {
            Ok(key) if key == checked.key => {}
            Ok(_) | Err(KeyCheck::NoKey) => return KeyCheck::Replaced,
            Err(failed) => return failed,
        }
        match self.end_sessions_before(checked).await {
            Ok(()) => KeyCheck::Over,
            Err(_) => KeyCheck::StoreUnavailable,
        }
    }

    /// Ends the user's sessions, but for those issued since the check began: a login may come
    /// between the look at the keys and this, on a node whose clock is behind.
    ///
    /// Nothing is pending and there is no tombstone: while the store is down, nothing changes.
    async fn end_sessions_before(self: &Arc<Self>, checked: &Checked) -> Result<(), StoreError> {
        let revoke = Revoke {
            issued_by: Some(checked.began.before(CLOCK_SKEW)),
            ..Revoke::new(&checked.user, RevokeReason::SessionKeyExpired)
        };
        let ended = self.write_end(&revoke).await?;
        self.cache.changed(&ended);
        (self.reassertions).note(&revoke, &ended, self.clock.uptime());
        Ok(())
    }
}

/// Whoever has keys checked. It keeps no node: it ends with the last handle.
struct Worker<S> {
    node: Weak<Node<S>>,
    checks: Arc<KeyChecks>,
    check: AnyCheck,
    clock: Clock,
}

async fn until_closed<S: SessionStore>(worker: Worker<S>, mut alive: watch::Receiver<()>) {
    tokio::select! {
        () = work(Arc::new(worker)) => {}
        _ = alive.changed() => {}
    }
}

/// Begins one check after the other, so many at the same time. They end with it.
async fn work<S: SessionStore>(worker: Arc<Worker<S>>) {
    let most = worker.checks.most_in_flight();
    let mut calls = JoinSet::new();
    loop {
        // What has ended is kept until it is joined, however many calls there may be.
        while calls.try_join_next().is_some() {}
        while calls.len() >= most {
            calls.join_next().await;
        }
        let user = worker.checks.next(&worker.clock).await;
        let worker = Arc::clone(&worker);
        calls.spawn(trace::session_key_check_span(async move {
            if let Some(outcome) = worker.check_key(user).await {
                meter::session_key_check(outcome);
            }
        }));
    }
}

impl<S: SessionStore> Worker<S> {
    /// Checks the newest key of a user; `None` if the node has ended meanwhile.
    async fn check_key(&self, user: Identity) -> Option<KeyCheck> {
        let began = self.clock.now();
        let key = match self.node.upgrade()?.newest_key(&user).await {
            Ok(key) => key,
            Err(failed) => return Some(failed),
        };
        let validity = self.validity(&user, &key).await;
        let checked = Checked { user, key, began };
        let node = self.node.upgrade()?;
        Some(node.conclude_check(&checked, &validity).await)
    }

    /// What the platform says. The node is not held for as long as that takes.
    async fn validity(&self, user: &Identity, key: &SessionKey) -> Validity {
        tokio::select! {
            validity = self.check.check(user, key) => validity,
            () = self.clock.sleep(LONGEST) => Validity::cannot_tell("no answer within 10 s"),
        }
    }
}
