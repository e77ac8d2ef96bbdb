use std::collections::BTreeMap;
use std::fmt;

use super::Cache;
use super::cache::Unlimited;
use super::traffic::{Event, Traffic, Workload};

/// Traffic, and what it costs without a bound.
pub(crate) struct Play<'a> {
    workload: &'a Workload,
    without_bound: Vec<Asked>,
}

/// A request, and whether it had the store asked.
type Asked = (Event, bool);

/// What a cache costs beyond one without bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra {
    /// Loads for 1000 requests.
    loads: f64,
    /// New logins of 100 that the store is asked about within their first burst.
    newcomers: f64,
}

impl<'a> Play<'a> {
    pub(crate) async fn new(workload: &'a Workload) -> Self {
        Self {
            workload,
            without_bound: play(workload, Unlimited::new(workload.fresh_for)).await,
        }
    }

    pub(crate) async fn with(&self, cache: impl Cache) -> Extra {
        beyond(&self.without_bound, &play(self.workload, cache).await)
    }

    /// Those that count.
    pub(super) fn requests(&self) -> usize {
        self.counted().count()
    }

    /// All loads for 1000 requests without a bound.
    pub(super) fn loads_for_1000(&self) -> f64 {
        let loads = self.counted().filter(|(_, asked)| *asked).count();
        1000.0 * loads as f64 / self.requests() as f64
    }

    fn counted(&self) -> impl Iterator<Item = &Asked> {
        self.without_bound
            .iter()
            .filter(|(event, _)| event.counts())
    }
}

async fn play(workload: &Workload, mut cache: impl Cache) -> Vec<Asked> {
    let mut played = Vec::new();
    for event in Traffic::new(workload) {
        match event {
            Event::Login { session, at, .. } => cache.login(session, at).await,
            Event::Request { session, at, .. } => {
                played.push((event, cache.request(session, at).await));
            }
        }
    }
    played
}

/// What came of the requests that count, beyond what came of them `without_bound`.
fn beyond(without_bound: &[Asked], played: &[Asked]) -> Extra {
    let (mut requests, mut loads) = (0, 0);
    let mut newcomers = BTreeMap::new();
    let both = without_bound.iter().zip(played);
    for ((event, without), (_, with)) in both.filter(|((event, _), _)| event.counts()) {
        let more = i32::from(*with) - i32::from(*without);
        requests += 1;
        loads += more;
        if let Event::Request {
            session, burst: 0, ..
        } = event
        {
            *newcomers.entry(*session).or_insert(0) += more;
        }
    }
    let asked = newcomers.values().filter(|more| **more > 0).count();
    Extra {
        loads: 1000.0 * f64::from(loads) / f64::from(requests),
        newcomers: 100.0 * asked as f64 / newcomers.len().max(1) as f64,
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5.1} ({:2.0})", self.loads, self.newcomers)
    }
}
