use std::fmt;
use std::time::Duration;

/// How long each of many things took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// Adds one, at most 4 s of it.
    pub(crate) fn add(&mut self, latency: Duration) {
        let nanos = u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX);
        self.0.push(nanos);
    }

    /// Adds those of another one.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The latency that so many of a thousand do not exceed, for each of some.
    pub(crate) fn per_mille<const N: usize>(&mut self, ranks: [usize; N]) -> [Duration; N] {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        ranks.map(|rank| {
            let nanos = self.0.get((self.0.len() * rank / 1000).min(last));
            Duration::from_nanos(nanos.copied().unwrap_or_default().into())
        })
    }
}

/// Microseconds, as figures are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Micros(pub(crate) Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0.as_nanos() as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_a_thousand() {
        let mut latencies = Latencies::default();
        (0..1000)
            .rev()
            .for_each(|nanos| latencies.add(Duration::from_nanos(nanos)));
        let expected = [500, 990, 999, 999].map(Duration::from_nanos);
        assert_eq!(latencies.per_mille([500, 990, 999, 1000]), expected);
    }
}
