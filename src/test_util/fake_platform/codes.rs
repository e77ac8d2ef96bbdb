use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::outcome::Refused;

/// Codes remembered; more than that, and the oldest is forgotten.
const REMEMBERED: usize = 10_000;

/// The codes that were issued or seen, and what became of them.
///
/// A free-form code that is forgotten would be good again, so a dead one is kept as long as there is
/// room.
#[derive(Debug)]
pub(super) struct Codes {
    lifetime: Duration,
    known: HashMap<Arc<str>, Code>,
    oldest_first: VecDeque<Arc<str>>,
    issued: u64,
}

#[derive(Debug)]
struct Code {
    born: Duration,
    spent: bool,
    exchanges: u64,
}

impl Codes {
    pub(super) fn living_for(lifetime: Duration) -> Self {
        Self {
            lifetime,
            known: HashMap::new(),
            oldest_first: VecDeque::new(),
            issued: 0,
        }
    }

    pub(super) fn issue(&mut self, name: &str, now: Duration) -> String {
        self.issued += 1;
        let code = format!("{name}:issued-{}", self.issued);
        self.known(&code, now);
        code
    }

    pub(super) fn exchanges(&self, code: &str) -> u64 {
        self.known.get(code).map_or(0, |code| code.exchanges)
    }

    pub(super) fn count_exchange(&mut self, code: &str, now: Duration) {
        self.known(code, now).exchanges += 1;
    }

    /// Uses up a code; gives the name of its user.
    pub(super) fn spend<'a>(&mut self, code: &'a str, now: Duration) -> Result<&'a str, Refused> {
        let name = code.split_once(':').map_or("", |(name, _)| name);
        let lifetime = self.lifetime;
        let record = self.known(code, now);
        if name.is_empty() || now.saturating_sub(record.born) >= lifetime {
            return Err(Refused::BadCode);
        }
        match std::mem::replace(&mut record.spent, true) {
            true => Err(Refused::UsedCode),
            false => Ok(name),
        }
    }

    /// The record of a code, which begins when it is first seen.
    fn known(&mut self, code: &str, born: Duration) -> &mut Code {
        if !self.known.contains_key(code) {
            self.forget_oldest();
            self.oldest_first.push_back(code.into());
        }
        self.known.entry(code.into()).or_insert(Code {
            born,
            spent: false,
            exchanges: 0,
        })
    }

    fn forget_oldest(&mut self) {
        if self.oldest_first.len() >= REMEMBERED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_codes_takes_the_room_of_ten_thousand() {
        let mut codes = Codes::living_for(Duration::from_secs(300));
        let now = Duration::ZERO;
        let first = codes.issue("alice", now);
        for login in 0..3 * REMEMBERED {
            let code = format!("bob:{login}");
            codes.count_exchange(&code, now);
            assert_eq!(codes.spend(&code, now).unwrap(), "bob");
            assert!(matches!(codes.spend(&code, now), Err(Refused::UsedCode)));
        }
        assert_eq!(codes.known.len(), REMEMBERED);
        assert_eq!(codes.oldest_first.len(), REMEMBERED);
        assert!(!codes.known.contains_key(&*first));
        for recent in 2 * REMEMBERED..3 * REMEMBERED {
            assert_eq!(codes.exchanges(&format!("bob:{recent}")), 1);
        }
    }
}
