use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;

use super::codes::Codes;
use super::fault::Fault;
use super::outcome::{Outcome, Refused, User};

/// Requests remembered; more than that, and the oldest is forgotten.
const REMEMBERED: usize = 100;

/// All that a fake knows, without HTTP and without the platform's words.
#[derive(Debug)]
pub struct World {
    started: Instant,
    advanced: Duration,
    apps: HashMap<String, String>,
    unionids: bool,
    codes: Codes,
    next: VecDeque<Fault>,
    all: Option<Fault>,
    exchanges: u64,
    received: VecDeque<Request<Bytes>>,
    /// How many requests there were to each path that there is.
    requests: HashMap<String, u64>,
}

/// What a client asks for when it exchanges a code; what is missing is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange<'a> {
    pub(super) appid: &'a str,
    pub(super) secret: &'a str,
    pub(super) code: &'a str,
}

impl World {
    pub(super) fn new(appid: &str, secret: &str, code_lifetime: Duration) -> Self {
        Self {
            started: Instant::now(),
            advanced: Duration::ZERO,
            apps: HashMap::from([(appid.to_owned(), secret.to_owned())]),
            unionids: false,
            codes: Codes::living_for(code_lifetime),
            next: VecDeque::new(),
            all: None,
            exchanges: 0,
            received: VecDeque::new(),
            requests: HashMap::new(),
        }
    }

    pub(super) fn add_app(&mut self, appid: &str, secret: &str) {
        self.apps.insert(appid.to_owned(), secret.to_owned());
    }

    /// The secret of an app.
    pub(super) fn secret_of(&self, appid: &str) -> Option<&str> {
        self.apps.get(appid).map(String::as_str)
    }

    pub(super) fn give_unionids(&mut self) {
        self.unionids = true;
    }

    pub(super) fn issue_code(&mut self, name: &str) -> String {
        let now = self.now();
        self.codes.issue(name, now)
    }

    pub(super) fn advance(&mut self, time: Duration) {
        self.advanced = self.advanced.saturating_add(time);
    }

    pub(super) fn answer_next(&mut self, fault: Fault) {
        self.next.push_back(fault);
    }

    pub(super) fn fail_all(&mut self, fault: Option<Fault>) {
        self.all = fault;
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.exchanges
    }

    pub(super) fn exchanges_of(&self, code: &str) -> u64 {
        self.codes.exchanges(code)
    }

    pub(super) fn requests_to(&self, path: &str) -> u64 {
        self.requests.get(path).copied().unwrap_or_default()
    }

    pub(super) fn receive(&mut self, request: Request<Bytes>, is_known: bool) {
        if is_known {
            *(self.requests.entry(request.uri().path().to_owned())).or_default() += 1;
        }
        if self.received.len() >= REMEMBERED {
            self.received.pop_front();
        }
        self.received.push_back(request);
    }

    pub(super) fn received(&self) -> Vec<Request<Bytes>> {
        self.received.iter().cloned().collect()
    }

    /// The time since the fake was started, by its own clock.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed().saturating_add(self.advanced)
    }

    /// Counts an exchange and decides it; the code is spent, whatever goes wrong on the way.
    pub(super) fn exchange(&mut self, exchange: Exchange<'_>) -> Outcome {
        self.exchanges += 1;
        let now = self.now();
        self.codes.count_exchange(exchange.code, now);
        let fault = self.fault(exchange.code);
        let usual = self.log_in(exchange);
        Outcome {
            fault,
            user: match fault {
                Some(fault) => fault.instead_of(usual),
                None => usual,
            },
            number: self.exchanges,
        }
    }

    /// The fault that the next request meets, whatever it asks for.
    pub(super) fn fault(&mut self, code: &str) -> Option<Fault> {
        let injected = self.next.pop_front().or(self.all);
        injected.or_else(|| Fault::of_code(code))
    }

    fn log_in(&mut self, exchange: Exchange<'_>) -> Result<User, Refused> {
        self.check(exchange)?;
        let now = self.now();
        let name = self.codes.spend(exchange.code, now)?;
        Ok(User::new(
            exchange.appid,
            name,
            exchange.code,
            self.unionids,
        ))
    }

    fn check(&self, exchange: Exchange<'_>) -> Result<(), Refused> {
        let known = self.secret_of(exchange.appid);
        match exchange {
            Exchange { appid: "", .. } => Err(Refused::NoAppid),
            Exchange { secret: "", .. } => Err(Refused::NoSecret),
            Exchange { code: "", .. } => Err(Refused::NoCode),
            _ if known.is_none() => Err(Refused::UnknownApp),
            _ if known != Some(exchange.secret) => Err(Refused::WrongSecret),
            _ => Ok(()),
        }
    }
}
