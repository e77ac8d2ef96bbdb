//! Users who log in, use, rotate and end their sessions, each by itself, at any node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::fleet::{Fleet, KILLED};
use super::history::{Asked, Revoked};
use super::scenario::Dice;

/// Between two requests of one user: two cores have to do for all.
const PAUSE: Duration = Duration::from_millis(30);
/// An end of all sessions that is done late ends those with them that were issued until so long after
/// it was asked for: the clocks of nodes differ.
const LATE_ENDS: Duration = Duration::from_secs(5);
/// A session that has, or may have, a successor is asked for so long: for less than its grace of 30 s.
const GRACE: Duration = Duration::from_secs(20);
/// Sessions that a user has at most.
const MOST: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Deed {
    Check,
    Login,
    Rotate,
    Logout,
    LogoutOthers,
}

/// What a user did, and how it was answered.
#[derive(Clone, Copy, Debug)]
struct Done {
    user: usize,
    deed: Deed,
    start: Duration,
    end: Duration,
    status: u16,
}

/// A crowd that goes on until it is stopped.
pub struct Crowd {
    users: JoinSet<User>,
    shared: Arc<Shared>,
}

struct Shared {
    fleet: Arc<Fleet>,
    client: Client,
    sessions: AtomicUsize,
    done: Mutex<Vec<Done>>,
    is_over: AtomicBool,
    only_checks: AtomicBool,
    nodes_die: AtomicBool,
}

/// A token that a user holds.
#[derive(Clone)]
struct Held {
    number: usize,
    token: String,
    /// Until when it is certain to be live, unless somebody ends it.
    until: Option<Duration>,
    /// What was to put another one in its place, and may have: the answer was lost.
    lost: Option<Deed>,
}

struct User {
    shared: Arc<Shared>,
    number: usize,
    openid: String,
    dice: Dice,
    codes: usize,
    live: Vec<Held>,
    /// What took the place of a session.
    successors: HashMap<usize, usize>,
    /// Until then it only checks.
    rests_until: Duration,
    /// Those whose end was answered, also as pending.
    dead: Vec<Held>,
}

impl Crowd {
    pub fn of(fleet: &Arc<Fleet>, openids: &[String], dice: Dice) -> Self {
        let shared = Arc::new(Shared {
            fleet: Arc::clone(fleet),
            client: Client::new(),
            sessions: AtomicUsize::new(0),
            done: Mutex::default(),
            is_over: AtomicBool::new(false),
            only_checks: AtomicBool::new(false),
            nodes_die: AtomicBool::new(false),
        });
        let mut users = JoinSet::new();
        for (number, openid) in openids.iter().enumerate() {
            let user = User {
                shared: Arc::clone(&shared),
                number,
                openid: openid.clone(),
                dice: dice.split(number as u64),
                codes: 0,
                live: Vec::new(),
                successors: HashMap::new(),
                rests_until: Duration::ZERO,
                dead: Vec::new(),
            };
            users.spawn(user.live_on());
        }
        Self { users, shared }
    }

    /// From now on an end that was answered as pending may be forgotten: its node may die.
    pub fn expect_dead_nodes(&self) {
        self.shared.nodes_die.store(true, Ordering::Relaxed);
    }

    /// Has everybody check their sessions only, so that all that was answered is on all replicas a
    /// moment later: what a master has acknowledged last ends with it.
    pub async fn only_check(&self, only_checks: bool) {
        self.shared
            .only_checks
            .store(only_checks, Ordering::Relaxed);
        if only_checks {
            sleep(Duration::from_millis(700)).await;
        }
    }

    /// Stops, and checks on every node that all sessions are what they have to be in the end.
    pub async fn stop(mut self) -> Report {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let (mut lost, mut alive) = (0, 0);
        while let Some(user) = self.users.join_next().await {
            let mut user = user.unwrap();
            for node in 0..self.shared.fleet.nodes.len() {
                lost += user.count_not(node, 200).await;
                alive += user.count_not(node, 401).await;
            }
        }
        let done = std::mem::take(&mut *self.shared.done.lock().unwrap());
        Report { done, lost, alive }
    }
}

impl User {
    async fn live_on(mut self) -> Self {
        while !self.shared.is_over.load(Ordering::Relaxed) {
            self.do_something().await;
            sleep(PAUSE).await;
        }
        self
    }

    async fn do_something(&mut self) {
        self.forget_the_replaced();
        let node = self.dice.below(self.shared.fleet.nodes.len());
        let rests = self.shared.fleet.history.now() < self.rests_until;
        let only_checks = rests || self.shared.only_checks.load(Ordering::Relaxed);
        let choice = self.dice.below(if only_checks { 8 } else { 20 });
        if self.live.is_empty() {
            if !only_checks {
                self.log_in(node, None).await;
            }
            return;
        }
        let which = self.dice.below(self.live.len());
        match choice {
            0..8 => self.check(node, &self.live[which].clone()).await,
            8..10 if !self.dead.is_empty() => {
                let which = self.dice.below(self.dead.len());
                self.check(node, &self.dead[which].clone()).await;
            }
            10..13 if self.live.len() < MOST => self.log_in(node, None).await,
            13 if self.live.len() < MOST && self.live[which].lost.is_none() => {
                self.log_in(node, Some(which)).await;
            }
            14..17 if self.may_rotate(which) => self.rotate(node, which).await,
            17 if self.live.len() > 1 => self.log_out_others(node, which).await,
            _ => self.log_out(node, which).await,
        }
    }

    async fn check(&self, node: usize, held: &Held) {
        self.ask(node, held).await;
    }

    /// One check, which goes down in history; the status.
    async fn ask(&self, node: usize, held: &Held) -> u16 {
        let start = self.shared.fleet.history.now();
        let (status, _) = self
            .send(Deed::Check, node, Some(&held.token), Value::Null)
            .await;
        if status != KILLED {
            self.shared.fleet.history.asked(Asked {
                node,
                session: held.number,
                start,
                end: self.shared.fleet.history.now(),
                status,
            });
        }
        status
    }

    /// Whatever the answer is: the request may be done, and its answer lost.
    fn may_be_replaced(&mut self, which: usize) {
        let until = self.shared.fleet.history.now() + GRACE;
        self.live[which].until.get_or_insert(until);
    }

    fn forget_the_replaced(&mut self) {
        let now = self.shared.fleet.history.now();
        let is_certain = |held: &Held| held.until.is_none_or(|until| now < until);
        self.live.retain(is_certain);
    }

    async fn log_in(&mut self, node: usize, instead_of: Option<usize>) {
        self.codes += 1;
        let body = json!({ "code": format!("{}:{}", self.openid, self.codes) });
        let token = instead_of.map(|which| self.live[which].token.clone());
        if let Some(which) = instead_of {
            self.may_be_replaced(which);
        }
        let (_, answer) = self.send(Deed::Login, node, token.as_deref(), body).await;
        self.take(&answer, instead_of, Deed::Login);
    }

    async fn rotate(&mut self, node: usize, which: usize) {
        let token = self.live[which].token.clone();
        self.may_be_replaced(which);
        let (status, answer) = self
            .send(Deed::Rotate, node, Some(&token), Value::Null)
            .await;
        if status == 401 {
            self.note_refused(node, which);
        }
        self.take(&answer, Some(which), Deed::Rotate);
    }

    /// A live session was refused: that goes down in history as a check would.
    fn note_refused(&self, node: usize, which: usize) {
        let now = self.shared.fleet.history.now();
        self.shared.fleet.history.asked(Asked {
            node,
            session: self.live[which].number,
            start: now,
            end: now,
            status: 401,
        });
    }

    /// Takes the token of an answer, which takes the place of another one.
    fn take(&mut self, answer: &Value, instead_of: Option<usize>, deed: Deed) {
        let Some(token) = answer["token"].as_str() else {
            if let Some(old) = instead_of {
                self.live[old].lost.get_or_insert(deed);
            }
            return;
        };
        let number = self.shared.sessions.fetch_add(1, Ordering::Relaxed);
        if let Some(old) = instead_of {
            let old = self.live[old].number;
            self.successors.entry(old).or_insert(number);
        }
        self.live.push(Held {
            number,
            token: token.to_owned(),
            until: None,
            lost: None,
        });
    }

    /// A rotation whose answer was lost may be repeated; a login is none.
    fn may_rotate(&self, which: usize) -> bool {
        let held = &self.live[which];
        held.lost != Some(Deed::Login) && !self.successors.contains_key(&held.number)
    }

    /// Ends a session and what took its place.
    async fn log_out(&mut self, node: usize, which: usize) {
        let token = self.live[which].token.clone();
        let line = self.line(self.live[which].number);
        self.end(Deed::Logout, node, &token, |number| line.contains(&number))
            .await;
    }

    /// Ends all sessions but one and what took its place.
    async fn log_out_others(&mut self, node: usize, which: usize) {
        let token = self.live[which].token.clone();
        let stay = self.line(self.live[which].number);
        self.end(Deed::LogoutOthers, node, &token, |number| {
            !stay.contains(&number)
        })
        .await;
    }

    /// A session and what took its place, one after the other.
    fn line(&self, first: usize) -> Vec<usize> {
        std::iter::successors(Some(first), |number| self.successors.get(number).copied()).collect()
    }

    async fn end(&mut self, deed: Deed, node: usize, token: &str, ends: impl Fn(usize) -> bool) {
        let history = &self.shared.fleet.history;
        let asked = history.now();
        let over: Vec<_> = self.live.extract_if(.., |held| ends(held.number)).collect();
        let note = |acknowledged| {
            for held in &over {
                history.revoked(Revoked {
                    node,
                    session: held.number,
                    asked,
                    acknowledged,
                });
            }
        };
        note(None);
        let (status, _) = self.send(deed, node, Some(token), Value::Null).await;
        if status == 204 {
            note(Some(history.now()));
        }
        if status == 202 && deed == Deed::LogoutOthers {
            self.rests_until = history.now() + LATE_ENDS;
        }
        // One that was refused may or may not be over: nobody asks for it again.
        let is_kept = !self.shared.nodes_die.load(Ordering::Relaxed);
        if status == 204 || status == 202 && is_kept {
            self.dead.extend(over);
        }
    }

    /// How many of the sessions that have to be answered like this in the end are not.
    async fn count_not(&mut self, node: usize, status: u16) -> usize {
        self.forget_the_replaced();
        let held = if status == 200 {
            &self.live
        } else {
            &self.dead
        };
        let mut wrong = 0;
        for held in held {
            let start = Instant::now();
            loop {
                let answer = self.ask(node, held).await;
                if answer == status {
                    break;
                }
                let is_final = answer == 401 || start.elapsed() > Duration::from_secs(8);
                if is_final {
                    wrong += 1;
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        wrong
    }

    async fn send(
        &self,
        deed: Deed,
        node: usize,
        token: Option<&str>,
        body: Value,
    ) -> (u16, Value) {
        let shared = &self.shared;
        let base = &shared.fleet.nodes[node].base;
        let mut request = match deed {
            Deed::Check => shared.client.get(format!("{base}/me")),
            Deed::Login => shared.client.post(format!("{base}/login")).json(&body),
            Deed::Rotate => shared.client.post(format!("{base}/rotate")),
            Deed::Logout => shared.client.post(format!("{base}/logout")),
            Deed::LogoutOthers => shared.client.post(format!("{base}/logout_others")),
        };
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let start = shared.fleet.history.now();
        let life = shared.fleet.nodes[node].life();
        let answer = request.timeout(Duration::from_secs(10)).send().await;
        let (status, answer) = match answer {
            Ok(answer) => (answer.status().as_u16(), answer.json().await.ok()),
            Err(_) => (shared.fleet.nodes[node].no_answer(life), None),
        };
        if status == KILLED {
            return (KILLED, Value::Null);
        }
        shared.done.lock().unwrap().push(Done {
            user: self.number,
            deed,
            start,
            end: shared.fleet.history.now(),
            status,
        });
        (status, answer.unwrap_or_default())
    }
}

/// What a crowd saw.
pub struct Report {
    done: Vec<Done>,
    /// Live sessions that were not answered 200 in the end, by node.
    pub lost: usize,
    /// Ended ones that were not answered 401.
    pub alive: usize,
}

impl Report {
    /// How often each deed was answered with each status.
    pub fn figures(&self) -> String {
        let mut counts: HashMap<(Deed, u16), usize> = HashMap::new();
        for done in &self.done {
            *counts.entry((done.deed, done.status)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable();
        let counts = counts
            .iter()
            .map(|((deed, status), count)| format!("{deed:?} {count} × {status}"));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// Fails unless each deed was done more often than this.
    pub fn has_done_everything(&self, least: usize) {
        for (deed, status) in [
            (Deed::Check, 200),
            (Deed::Login, 200),
            (Deed::Rotate, 200),
            (Deed::Logout, 204),
            (Deed::LogoutOthers, 204),
        ] {
            let done = self.done.iter();
            let count = done.filter(|done| (done.deed, done.status) == (deed, status));
            assert!(count.count() > least, "{deed:?}: {}", self.figures());
        }
    }

    /// Answers that no fault excuses.
    pub fn strange(&self) -> usize {
        let known = [200, 202, 204, 401, 503];
        let strange = self
            .done
            .iter()
            .filter(|done| !known.contains(&done.status));
        strange.count()
    }

    /// The longest that one user got nothing but 503 for deeds like this.
    pub fn longest_503(&self, is_meant: impl Fn(Deed) -> bool) -> Duration {
        let mut since: HashMap<usize, Duration> = HashMap::new();
        let mut longest = Duration::ZERO;
        for done in self.done.iter().filter(|done| is_meant(done.deed)) {
            if done.status == 503 {
                let since = *since.entry(done.user).or_insert(done.start);
                longest = longest.max(done.end - since);
            } else {
                since.remove(&done.user);
            }
        }
        longest
    }
}
