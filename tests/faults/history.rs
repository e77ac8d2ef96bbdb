//! What the clients of a fleet saw, and whether it keeps what the crate promises.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A request with a session's token. Times are counted from the start of the history.
#[derive(Clone, Debug)]
pub struct Asked {
    pub node: usize,
    pub session: usize,
    pub start: Duration,
    pub end: Duration,
    /// 0 for none: the node itself did not answer.
    pub status: u16,
}

impl Asked {
    pub fn took(&self) -> Duration {
        self.end - self.start
    }
}

/// A session that was ended by a request.
#[derive(Clone, Debug)]
pub struct Revoked {
    pub node: usize,
    pub session: usize,
    pub asked: Duration,
    /// `None` if it was refused.
    pub acknowledged: Option<Duration>,
}

/// When the nodes have to refuse a session that one of them has revoked: that one at once.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How long after the acknowledgement the others have.
    others: Duration,
    /// Until when a node that could not know has in any case.
    excused: HashMap<usize, Duration>,
    /// From when until when no node heard of any other's.
    outages: Vec<(Duration, Duration)>,
}

impl Bounds {
    pub fn others_within(others: Duration) -> Self {
        Self {
            others,
            excused: HashMap::new(),
            outages: Vec::new(),
        }
    }

    /// What would have to be known within this time need not be before its end.
    pub fn outage(mut self, from: Duration, until: Duration) -> Self {
        self.outages.push((from, until));
        self
    }

    pub fn excuse(mut self, node: usize, until: Duration) -> Self {
        self.excused.insert(node, until);
        self
    }

    fn refused_from(&self, node: usize, revoked: &Revoked) -> Option<Duration> {
        let excused = self.excused.get(&node).copied().unwrap_or_default();
        let acknowledged = revoked.acknowledged?;
        if node == revoked.node {
            return Some(excused.max(acknowledged));
        }
        let known = acknowledged + self.others;
        let missed = |(from, until): &&(Duration, Duration)| acknowledged < *until && *from < known;
        let heard = self.outages.iter().filter(missed).map(|outage| outage.1);
        Some(heard.fold(excused.max(known), Duration::max))
    }
}

/// Everything that was asked, by several clients at the same time.
pub struct History {
    began: Instant,
    asked: Mutex<Vec<Asked>>,
    revoked: Mutex<HashMap<usize, Revoked>>,
}

impl History {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            asked: Mutex::default(),
            revoked: Mutex::default(),
        }
    }

    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn asked(&self, asked: Asked) {
        self.all().push(asked);
    }

    /// Notes a revocation, once before it is asked for and once with its answer.
    pub fn revoked(&self, revoked: Revoked) {
        self.revoked
            .lock()
            .unwrap()
            .insert(revoked.session, revoked);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap()
    }

    /// The requests of which this is so.
    pub fn select(&self, is_meant: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        let all = self.all();
        all.iter()
            .filter(|asked| is_meant(asked))
            .cloned()
            .collect()
    }

    /// Requests that were answered 401 although the session was live from start to end.
    pub fn false_relogins(&self) -> Vec<Asked> {
        let revoked = self.revoked.lock().unwrap();
        self.select(|asked| {
            let over = revoked.get(&asked.session).map(|revoked| revoked.asked);
            asked.status == 401 && over.is_none_or(|over| asked.end < over)
        })
    }

    /// Requests that passed although the session had to be refused by then, with its end.
    pub fn fail_opens(&self, bounds: &Bounds) -> Vec<(Asked, Revoked)> {
        let revoked = self.revoked.lock().unwrap();
        let passed = self.select(|asked| asked.status == 200).into_iter();
        let ended = passed.filter_map(|asked| {
            let revoked = revoked.get(&asked.session)?;
            let refused_from = bounds.refused_from(asked.node, revoked)?;
            (asked.start > refused_from).then(|| (asked, revoked.clone()))
        });
        ended.collect()
    }

    /// How much longer than its acknowledgement each revocation was missed by other nodes.
    pub fn missed_for(&self) -> Vec<Duration> {
        let mut last: HashMap<(usize, usize), Duration> = HashMap::new();
        let revoked = self.revoked.lock().unwrap();
        for asked in self.all().iter() {
            let Some(revoked) = revoked.get(&asked.session) else {
                continue;
            };
            let (Some(from), true) = (revoked.acknowledged, asked.node != revoked.node) else {
                continue;
            };
            let missed = last.entry((asked.session, asked.node)).or_default();
            if asked.status == 200 {
                *missed = (*missed).max(asked.start.saturating_sub(from));
            }
        }
        last.into_values().collect()
    }
}

/// The share `of` these times is not longer than this.
pub fn quantile(mut times: Vec<Duration>, of: f64) -> Duration {
    times.sort();
    let last = times.len().saturating_sub(1);
    let index = (times.len() as f64 * of) as usize;
    times.get(index.min(last)).copied().unwrap_or_default()
}

/// How long these requests took.
pub fn times(asked: &[Asked]) -> Vec<Duration> {
    asked.iter().map(Asked::took).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Session 1 is revoked on node 0: asked for at 100 ms, acknowledged at 110 ms.
    fn history(status: u16, node: usize, start: u64, end: u64) -> History {
        let history = History::new();
        history.revoked(Revoked {
            node: 0,
            session: 1,
            asked: ms(100),
            acknowledged: Some(ms(110)),
        });
        history.asked(Asked {
            node,
            session: 1,
            start: ms(start),
            end: ms(end),
            status,
        });
        history
    }

    fn fail_opens(history: &History) -> usize {
        let bounds = Bounds::others_within(ms(50)).excuse(2, ms(400));
        history.fail_opens(&bounds).len()
    }

    #[test]
    fn a_refusal_of_a_live_session_is_a_false_relogin() {
        assert_eq!(history(401, 0, 90, 99).false_relogins().len(), 1);
        assert_eq!(history(401, 0, 90, 100).false_relogins().len(), 0);
        assert_eq!(history(401, 1, 105, 106).false_relogins().len(), 0);
        assert_eq!(history(503, 0, 90, 99).false_relogins().len(), 0);
        let other = history(401, 0, 120, 130);
        other.all()[0].session = 2;
        assert_eq!(other.false_relogins().len(), 1, "that one was not revoked");
    }

    #[test]
    fn a_pass_beyond_the_bound_is_a_fail_open() {
        let rows = [
            (0, 110, 0),
            (0, 111, 1),
            (1, 160, 0),
            (1, 161, 1),
            (2, 161, 0),
            (2, 400, 0),
            (2, 401, 1),
        ];
        for (node, start, expected) in rows {
            let passed = history(200, node, start, 500);
            assert_eq!(fail_opens(&passed), expected, "node {node} at {start}");
            assert_eq!(fail_opens(&history(503, node, start, 500)), 0);
        }
    }

    #[test]
    fn what_is_revoked_in_an_outage_or_just_before_it_binds_others_from_its_end_on() {
        let rows = [(0, 140, 1), (1, 299, 0), (1, 301, 1)];
        for outage in [(ms(90), ms(300)), (ms(105), ms(300)), (ms(155), ms(300))] {
            let bounds = Bounds::others_within(ms(50)).outage(outage.0, outage.1);
            for (node, start, expected) in rows {
                let passed = history(200, node, start, 500);
                assert_eq!(
                    passed.fail_opens(&bounds).len(),
                    expected,
                    "node {node} at {start}"
                );
            }
        }
        for outage in [(ms(10), ms(109)), (ms(161), ms(300))] {
            let bounds = Bounds::others_within(ms(50)).outage(outage.0, outage.1);
            let passed = history(200, 1, 161, 500);
            assert_eq!(passed.fail_opens(&bounds).len(), 1, "{outage:?}");
        }
    }

    #[test]
    fn a_revocation_that_failed_binds_nobody() {
        let history = history(200, 0, 300, 301);
        history
            .revoked
            .lock()
            .unwrap()
            .get_mut(&1)
            .unwrap()
            .acknowledged = None;
        assert_eq!(fail_opens(&history), 0);
    }

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let times: Vec<_> = (1..=100).map(ms).collect();
        assert_eq!(quantile(times.clone(), 0.5), ms(51));
        assert_eq!(quantile(times.clone(), 0.99), ms(100));
        assert_eq!(quantile(times, 1.0), ms(100));
        assert_eq!(quantile(Vec::new(), 0.5), ms(0));
    }
}
