use std::fmt;
use std::time::{Duration, Instant};

use super::base_url::BaseUrl;
use crate::config_error::ConfigError;
use crate::sync::Lock;

/// For how long another host than the first is asked first, once that one could not be reached.
const AWAY: Duration = Duration::from_secs(60);

/// Where a platform answers: the usual host, and those for when it cannot be reached.
pub(super) struct Hosts {
    urls: Vec<BaseUrl>,
    /// The host that took the last request in place of the first, and until when it is asked first.
    instead: Lock<Option<(usize, Instant)>>,
}

impl Hosts {
    pub(super) fn parse(urls: &[&str]) -> Result<Self, ConfigError> {
        if urls.is_empty() {
            return Err(ConfigError::new("hosts", "at least one URL", &"none"));
        }
        let urls = urls.iter().map(|url| BaseUrl::parse(url));
        Ok(Self {
            urls: urls.collect::<Result<_, _>>()?,
            instead: Lock::from(None),
        })
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.urls.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn all(&self, is: impl Fn(&BaseUrl) -> bool) -> bool {
        self.urls.iter().all(is)
    }

    /// Every host once, in the order in which they are tried.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = (usize, &BaseUrl)> {
        let first = self.first(Instant::now());
        let (before, from) = self.urls.split_at(first);
        let from = from
            .iter()
            .enumerate()
            .map(move |(at, url)| (first + at, url));
        from.chain(before.iter().enumerate())
    }

    fn first(&self, now: Instant) -> usize {
        self.instead_at(now).map_or(0, |(index, _)| index)
    }

    fn instead_at(&self, now: Instant) -> Option<(usize, Instant)> {
        let instead = *self.instead.lock();
        instead.filter(|(_, until)| now < *until)
    }

    /// Notes which host took a request. The time of one that is asked first already is not
    /// prolonged: after it the usual host has its turn again.
    pub(super) fn note(&self, index: usize) {
        self.note_at(index, Instant::now());
    }

    fn note_at(&self, index: usize, now: Instant) {
        let instead = match (index, self.instead_at(now)) {
            (0, _) => None,
            (index, Some((known, until))) if known == index => Some((known, until)),
            (index, _) => Some((index, now + AWAY)),
        };
        *self.instead.lock() = instead;
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.urls.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_helped_out_is_asked_first_for_a_minute() {
        let hosts = Hosts::parse(&["http://a", "http://b", "http://c"]).unwrap();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(hosts.first(start), 0);
        hosts.note_at(1, at(0));
        hosts.note_at(1, at(50));
        assert_eq!(hosts.first(at(59)), 1);
        assert_eq!(hosts.first(at(60)), 0, "not prolonged");
        hosts.note_at(1, at(60));
        assert_eq!(hosts.first(at(119)), 1);
        hosts.note_at(2, at(61));
        assert_eq!(hosts.first(at(62)), 2);
        hosts.note_at(0, at(62));
        assert_eq!(hosts.first(at(62)), 0);
    }

    #[test]
    fn every_host_has_its_turn_once() {
        let hosts = Hosts::parse(&["http://a", "http://b", "http://c"]).unwrap();
        let order = || hosts.in_turn().map(|(index, _)| index).collect::<Vec<_>>();
        assert_eq!(order(), [0, 1, 2]);
        hosts.note(1);
        assert_eq!(order(), [1, 2, 0]);
    }

    #[test]
    fn no_host_is_a_mistake() {
        assert!(Hosts::parse(&[]).is_err());
        assert!(Hosts::parse(&["http://a", "b"]).is_err());
    }
}
