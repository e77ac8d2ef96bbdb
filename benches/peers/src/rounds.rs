//! Measures in turn, so that whatever else the machine does befalls all alike.
//!
//! The benches of the package next to this one have this file, too.

use std::fmt;

/// One figure of each contender in each round, the contenders in the order they were given.
#[derive(Clone, Debug)]
pub(crate) struct Rounds(Vec<Vec<f64>>);

impl Rounds {
    /// Takes a figure of each in each round, each round beginning with the next one. The first
    /// round, which finds nothing in the processor's caches, is not counted.
    pub(crate) fn of<T>(
        rounds: usize,
        contenders: &mut [T],
        mut figure: impl FnMut(&mut T) -> f64,
    ) -> Self {
        let many = contenders.len();
        let mut figures = vec![vec![0.0; many]; rounds + 1];
        for (round, row) in figures.iter_mut().enumerate() {
            for turn in 0..many {
                let next = (round + turn) % many;
                row[next] = figure(&mut contenders[next]);
            }
        }
        figures.remove(0);
        Self(figures)
    }

    /// The middle figure of one contender.
    pub(crate) fn median(&self, contender: usize) -> f64 {
        self.middle(|row| row[contender])
    }

    /// The middle of what one has beyond another in the same round.
    pub(crate) fn beyond(&self, contender: usize, base: usize) -> f64 {
        self.middle(|row| row[contender] - row[base])
    }

    /// The middle of the ratios of two, after what a third one has is taken from both.
    pub(crate) fn ratio_beyond(&self, one: usize, other: usize, base: usize) -> f64 {
        self.middle(|row| (row[one] - row[base]) / (row[other] - row[base]))
    }

    /// The middle of whatever the figures of a round say.
    pub(crate) fn middle(&self, figure: impl Fn(&[f64]) -> f64) -> f64 {
        self.spread(figure).median()
    }

    /// The figures, in order of size, that are made of each round's.
    pub(crate) fn spread(&self, figure: impl Fn(&[f64]) -> f64) -> Spread {
        let mut figures: Vec<_> = self.0.iter().map(|row| figure(row)).collect();
        figures.sort_by(f64::total_cmp);
        Spread(figures)
    }
}

/// One figure of each round, in order of size. It is shown with its quartiles.
#[derive(Clone, Debug)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// The middle one; of an even number, half way between the two.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len() - 1;
        let place = share * last as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        let part = place - place.floor();
        self.0[below] * (1.0 - part) + self.0[above] * part
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = [0.25, 0.75].map(|share| self.quantile(share));
        let (median, rounds) = (self.median(), self.0.len());
        write!(
            f,
            "{median:.3} (quartiles {low:.3} to {high:.3}, {rounds} rounds)"
        )
    }
}
