use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::Notify;

use super::key_check_policy::KeyCheckPolicy;
use crate::identity::Identity;
use crate::observe::meter::{self, KeyCheck};
use crate::observe::outage::Outage;
use crate::observe::trace;
use crate::session::Session;
use crate::session_key::Validity;
use crate::sync::Lock;
use crate::time::{Clock, Moment, Uptime};

/// Whose session_key is to be checked, and whose was within the interval.
///
/// It remembers no more users than may wait, and be checked in one interval.
pub(super) struct KeyChecks {
    policy: KeyCheckPolicy,
    /// When the node began: the first checks are spread over an interval from then on.
    began: Uptime,
    users: Lock<Users>,
    /// Somebody has come to wait. Keeps that for a worker that looks later.
    arrived: Notify,
    outage: Lock<Outage>,
}

#[derive(Default)]
struct Users {
    /// Those who wait, and those whose check began within the interval.
    known: HashSet<Identity>,
    waiting: VecDeque<Identity>,
    /// Oldest first.
    checked: VecDeque<(Uptime, Identity)>,
    /// When the next check may begin.
    next_start: Uptime,
}

/// What there is to do for a worker.
enum Next {
    Check(Identity),
    Wait(Duration),
    Nothing,
}

impl KeyChecks {
    pub(super) fn new(policy: KeyCheckPolicy, began: Uptime) -> Self {
        Self {
            policy,
            began,
            users: Lock::default(),
            arrived: Notify::new(),
            outage: Lock::default(),
        }
    }

    pub(super) const fn most_in_flight(&self) -> usize {
        self.policy.calls_in_flight
    }

    /// Has the user of a session wait for a check, if that is due and there is room.
    pub(super) fn add(&self, session: &Session, now: Moment) {
        if !self.may_be_due(session, now) {
            return;
        }
        let mut users = self.users.lock();
        users.forget_before(now.local.before(self.policy.interval));
        if users.known.contains(session.identity()) {
            return;
        }
        if users.waiting.len() >= self.policy.waiting {
            return meter::session_key_check(KeyCheck::Dropped);
        }
        users.wait(session.identity().clone());
        self.arrived.notify_one();
    }

    /// A key that has just come from the platform is good, and a node that has just begun takes its
    /// time: another part of the interval for each user, and on each node.
    fn may_be_due(&self, session: &Session, now: Moment) -> bool {
        let interval = self.policy.interval;
        let [high, low] = session.id().bucket();
        let [.., salt_high, salt_low] = self.began.as_millis().to_be_bytes();
        let share = u16::from_be_bytes([high ^ salt_high, low ^ salt_low]);
        let first_at = interval / u32::from(u16::MAX) * u32::from(share);
        now.local.since(self.began) >= first_at
            && now.fleet.since(session.logged_in_at()) >= interval
    }

    /// Waits for the next user whose check may begin.
    pub(super) async fn next(&self, clock: &Clock) -> Identity {
        loop {
            match self.take(clock.uptime()) {
                Next::Check(user) => return user,
                Next::Wait(span) => clock.sleep(span).await,
                Next::Nothing => self.arrived.notified().await,
            }
        }
    }

    fn take(&self, now: Uptime) -> Next {
        let mut users = self.users.lock();
        if users.waiting.is_empty() {
            return Next::Nothing;
        }
        if now < users.next_start {
            return Next::Wait(users.next_start.since(now));
        }
        users.next_start = now.after(self.policy.gap());
        users.begin(now).map_or(Next::Nothing, Next::Check)
    }

    /// Logs an outage of the platform once, and its end.
    pub(super) fn note(&self, validity: &Validity, now: Uptime) {
        // Kept while the event is written: the log has the beginning and the end in that order.
        let mut outage = self.outage.lock();
        if let Validity::CannotTell(error) = validity {
            trace::session_key_check_failed(error, outage.fails(now));
        } else if let Some(over) = outage.succeeds(now) {
            trace::session_key_checks_work(over);
        }
    }
}

impl Users {
    fn wait(&mut self, user: Identity) {
        self.known.insert(user.clone());
        self.waiting.push_back(user);
    }

    fn begin(&mut self, now: Uptime) -> Option<Identity> {
        let user = self.waiting.pop_front()?;
        self.checked.push_back((now, user.clone()));
        Some(user)
    }

    /// Forgets whose check began no later than this.
    fn forget_before(&mut self, latest: Uptime) {
        let is_over =
            |checked: &VecDeque<(Uptime, _)>| checked.front().is_some_and(|(at, _)| *at <= latest);
        while is_over(&self.checked)
            && let Some((_, user)) = self.checked.pop_front()
        {
            self.known.remove(&user);
        }
    }
}
