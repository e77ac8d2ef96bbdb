//! Measures in turn, so that whatever else the machine does befalls all alike.

use std::time::Duration;

use crate::stopwatch::{Spent, Timed};

/// Rounds of one comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Time spent on each in each round.
    pub(crate) time: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            rounds: 15,
            time: Duration::from_millis(20),
        }
    }
}

/// One figure of each contender in each round, the contenders in the order they were given.
#[derive(Clone, Debug)]
pub(crate) struct Rounds(Vec<Vec<f64>>);

impl Plan {
    /// Nanoseconds for each call of each contender.
    pub(crate) fn time<T: Timed>(self, contenders: &mut [T]) -> Rounds {
        let time = self.time;
        self.figures(contenders, |contender| spend(contender, time).nanos())
    }

    /// Takes a figure of each in each round, each round beginning with the next one. The first
    /// round, which finds nothing in the processor's caches, is not counted.
    pub(crate) fn figures<T>(
        self,
        contenders: &mut [T],
        mut figure: impl FnMut(&mut T) -> f64,
    ) -> Rounds {
        let many = contenders.len();
        let mut figures = vec![vec![0.0; many]; self.rounds + 1];
        for (round, row) in figures.iter_mut().enumerate() {
            for turn in 0..many {
                let next = (round + turn) % many;
                row[next] = figure(&mut contenders[next]);
            }
        }
        figures.remove(0);
        Rounds(figures)
    }
}

fn spend(contender: &mut impl Timed, time: Duration) -> Spent {
    let mut spent = Spent::default();
    while spent.time < time {
        spent += contender.batch();
    }
    spent
}

impl Rounds {
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
        median(self.0.iter().map(|row| figure(row)).collect())
    }
}

/// The middle one; of an even number, the upper one of the two.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(vec![4.0, 3.0, 2.0, 1.0]), 3.0);
    }

    #[test]
    fn ratios_are_of_the_same_round_and_of_the_added_cost() {
        let rounds = Rounds(vec![
            vec![10.0, 20.0, 40.0],
            vec![100.0, 110.0, 130.0],
            vec![10.0, 11.0, 500.0],
        ]);
        assert_eq!(rounds.ratio_beyond(1, 2, 0), 1.0 / 3.0);
        assert_eq!(rounds.beyond(1, 0), 10.0);
    }

    #[test]
    fn every_round_begins_with_another_one() {
        let mut order = Vec::new();
        let plan = Plan {
            rounds: 1,
            ..Plan::default()
        };
        plan.figures(&mut [0, 1, 2], |contender| {
            order.push(*contender);
            0.0
        });
        assert_eq!(order, [0, 1, 2, 1, 2, 0]);
    }
}
