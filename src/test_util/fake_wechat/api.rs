use std::collections::{HashMap, VecDeque};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::codes::Codes;
use super::fault::Fault;
use super::query::Query;
use super::reply;
use crate::sync::Lock;

/// `code2Session` without HTTP: all that the fake knows, and what it answers.
pub(super) struct Api(Lock<State>);

struct State {
    started: Instant,
    advanced: Duration,
    apps: HashMap<String, String>,
    unionids: bool,
    codes: Codes,
    next: VecDeque<Fault>,
    all: Option<Fault>,
    exchanges: u64,
}

/// What to send: the fault, if any, and the body without it.
pub(super) struct Reply {
    pub(super) fault: Option<Fault>,
    pub(super) body: String,
}

impl Api {
    pub(super) fn new(appid: &str, secret: &str) -> Self {
        Self(Lock::from(State {
            started: Instant::now(),
            advanced: Duration::ZERO,
            apps: HashMap::from([(appid.to_owned(), secret.to_owned())]),
            unionids: false,
            codes: Codes::default(),
            next: VecDeque::new(),
            all: None,
            exchanges: 0,
        }))
    }

    pub(super) fn add_app(&self, appid: &str, secret: &str) {
        let mut state = self.state();
        state.apps.insert(appid.to_owned(), secret.to_owned());
    }

    pub(super) fn give_unionids(&self) {
        self.state().unionids = true;
    }

    pub(super) fn issue_code(&self, name: &str) -> String {
        let mut state = self.state();
        let now = state.now();
        state.codes.issue(name, now)
    }

    pub(super) fn advance(&self, time: Duration) {
        let mut state = self.state();
        state.advanced = state.advanced.saturating_add(time);
    }

    pub(super) fn answer_next(&self, fault: Fault) {
        self.state().next.push_back(fault);
    }

    pub(super) fn fail_all(&self, fault: Option<Fault>) {
        self.state().all = fault;
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.state().exchanges
    }

    pub(super) fn exchanges_of(&self, code: &str) -> u64 {
        self.state().codes.exchanges(code)
    }

    /// Counts an exchange and decides its answer.
    pub(super) fn exchange(&self, query: &Query) -> Reply {
        let mut state = self.state();
        state.exchanges += 1;
        let now = state.now();
        state.codes.count_exchange(&query.js_code, now);
        let fault = state.fault(&query.js_code);
        Reply {
            fault,
            body: state.body(query, fault),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    fn now(&self) -> Duration {
        self.started.elapsed().saturating_add(self.advanced)
    }

    fn fault(&mut self, code: &str) -> Option<Fault> {
        let injected = self.next.pop_front().or(self.all);
        injected.or_else(|| Fault::of_code(code))
    }

    fn body(&mut self, query: &Query, fault: Option<Fault>) -> String {
        let usual = self.usual(query);
        match fault {
            Some(Fault::Errcode(errcode)) => reply::error(errcode, self.exchanges),
            Some(Fault::StringErrcode) => reply::string_errcode(self.exchanges),
            Some(Fault::EmptyOpenid) => reply::empty_openid(),
            Some(Fault::Broken) => reply::html("busy"),
            Some(Fault::Error5xx) => reply::html("502 Bad Gateway"),
            _ => usual,
        }
    }

    fn usual(&mut self, query: &Query) -> String {
        match self.log_in(query) {
            Ok(body) => body,
            Err(errcode) => reply::error(errcode, self.exchanges),
        }
    }

    fn log_in(&mut self, query: &Query) -> Result<String, i64> {
        self.check(query)?;
        let now = self.now();
        let name = self.codes.spend(&query.js_code, now)?;
        let (appid, code) = (&query.appid, &query.js_code);
        Ok(reply::success(appid, name, code, self.unionids))
    }

    fn check(&self, query: &Query) -> Result<(), i64> {
        let known = self.apps.get(&query.appid);
        match query {
            Query { appid, .. } if appid.is_empty() => Err(41002),
            Query { secret, .. } if secret.is_empty() => Err(41004),
            Query { js_code, .. } if js_code.is_empty() => Err(41008),
            Query { grant_type, .. } if grant_type != "authorization_code" => Err(40002),
            _ if known.is_none() => Err(40013),
            _ if known != Some(&query.secret) => Err(40125),
            _ => Ok(()),
        }
    }
}
