//! Sessions that are used in bursts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Milliseconds.
const SECOND: f64 = 1000.0;
const BURSTS: f64 = 4.0;
const REQUESTS: u32 = 10;
const GAP: f64 = 6.0 * SECOND;
const PAUSE: f64 = 20.0 * 60.0 * SECOND;
const BURST: f64 = REQUESTS as f64 * GAP;

/// The cache is as full as it gets, and then requests count.
const WARM_UP: f64 = 3600.0 * SECOND;
const COUNTED: f64 = 1800.0 * SECOND;
const FLOOD: f64 = 120.0 * SECOND;

pub(crate) struct Workload {
    /// Sessions in a burst at the same time.
    pub(crate) active: f64,
    /// Sessions from before, used a lot then and never again.
    pub(crate) dead: usize,
    /// Logins a second that nothing follows, for two minutes in the middle.
    pub(crate) flood: f64,
    /// For how long what is confirmed is good; milliseconds.
    pub(crate) fresh_for: u64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            active: 0.0,
            dead: 0,
            flood: 0.0,
            fresh_for: 30_000,
        }
    }
}

/// What happens `at` a time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Login {
        at: u64,
        session: usize,
        /// None for a login that nothing follows.
        bursts: u32,
    },
    Request {
        at: u64,
        session: usize,
        /// The first one is 0.
        burst: u32,
        /// Requests left in the burst.
        left: u32,
        bursts: u32,
    },
}

impl Event {
    const fn at(&self) -> u64 {
        match self {
            Self::Login { at, .. } | Self::Request { at, .. } => *at,
        }
    }

    pub(crate) fn counts(&self) -> bool {
        self.at() as f64 >= WARM_UP
    }
}

/// Events in the order in which they happen, always the same.
pub(crate) struct Traffic {
    events: BinaryHeap<Reverse<(u64, Event)>>,
    random: u64,
    sessions: usize,
}

impl Traffic {
    pub(crate) fn new(workload: &Workload) -> Self {
        let mut traffic = Self {
            events: BinaryHeap::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            sessions: 0,
        };
        for _ in 0..workload.dead {
            traffic.log_in_dead();
        }
        let end = WARM_UP + COUNTED;
        // Those that are dead were there long before.
        let start = if workload.dead > 0 { WARM_UP } else { 0.0 };
        traffic.log_in(start, end, workload.active / (BURSTS * BURST), true);
        let flood = WARM_UP + COUNTED / 2.0;
        traffic.log_in(flood, flood + FLOOD, workload.flood / SECOND, false);
        traffic
    }

    fn log_in(&mut self, from: f64, to: f64, rate: f64, is_used: bool) {
        let mut at = from;
        while rate > 0.0 && at < to {
            // At least one, geometric.
            let mut bursts = u32::from(is_used);
            while is_used && self.uniform() > 1.0 / BURSTS {
                bursts += 1;
            }
            let session = self.sessions;
            self.sessions += 1;
            let at_millis = at as u64;
            self.push(Event::Login {
                at: at_millis,
                session,
                bursts,
            });
            at += self.exponential(1.0 / rate);
        }
    }

    /// 60 requests, each of which needs a confirmation.
    fn log_in_dead(&mut self) {
        let session = self.sessions;
        self.sessions += 1;
        let first = self.uniform() * SECOND;
        self.push(Event::Login {
            at: first as u64,
            session,
            bursts: 0,
        });
        for use_of_it in 1..60 {
            self.push(Event::Request {
                at: (first + 40.0 * SECOND * f64::from(use_of_it)) as u64,
                session,
                burst: 1,
                left: 0,
                bursts: 0,
            });
        }
    }

    fn push(&mut self, event: Event) {
        self.events.push(Reverse((event.at(), event)));
    }

    /// What follows an event.
    fn follow(&mut self, event: Event) {
        let (session, at, burst, left, bursts) = match event {
            Event::Login { bursts: 0, .. } => return,
            Event::Login {
                at,
                session,
                bursts,
            } => (session, at, 0, REQUESTS, bursts),
            Event::Request {
                at,
                session,
                burst,
                left,
                bursts,
            } => (session, at, burst, left, bursts),
        };
        let (pause, burst, left) = match (left, bursts) {
            (0, bursts) if burst + 1 >= bursts => return,
            (0, _) => (PAUSE, burst + 1, REQUESTS - 1),
            _ => (GAP, burst, left - 1),
        };
        let at = at + self.exponential(pause) as u64;
        if (at as f64) < WARM_UP + COUNTED {
            self.push(Event::Request {
                at,
                session,
                burst,
                left,
                bursts,
            });
        }
    }

    fn uniform(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }
}

impl Iterator for Traffic {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let Reverse((_, event)) = self.events.pop()?;
        self.follow(event);
        Some(event)
    }
}
