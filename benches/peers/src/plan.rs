use std::time::Duration;

use crate::rounds::Rounds;
use crate::stopwatch::{Timed, spend};

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

impl Plan {
    /// Nanoseconds for each call of each contender.
    pub(crate) fn time<T: Timed>(self, contenders: &mut [T]) -> Rounds {
        let spent = |contender: &mut T| spend(|| contender.batch(), self.time);
        Rounds::of(self.rounds, contenders, |contender| {
            spent(contender).nanos()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds with these figures, after one that is not counted.
    fn rounds<const N: usize>(rows: &[[f64; N]]) -> Rounds {
        let mut contenders: [usize; N] = std::array::from_fn(|which| which);
        let mut taken = 0;
        Rounds::of(rows.len(), &mut contenders, |which| {
            let round = taken / N;
            taken += 1;
            round.checked_sub(1).map_or(0.0, |row| rows[row][*which])
        })
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(rounds(&[[9.0], [1.0], [5.0]]).median(0), 5.0);
        assert_eq!(rounds(&[[4.0], [3.0], [2.0], [1.0]]).median(0), 2.5);
    }

    #[test]
    fn ratios_are_of_the_same_round_and_of_the_added_cost() {
        let rounds = rounds(&[
            [10.0, 20.0, 40.0],
            [100.0, 110.0, 130.0],
            [10.0, 11.0, 500.0],
        ]);
        assert_eq!(rounds.ratio_beyond(1, 2, 0), 1.0 / 3.0);
        assert_eq!(rounds.beyond(1, 0), 10.0);
    }

    #[test]
    fn every_round_begins_with_another_one() {
        let mut order = Vec::new();
        Rounds::of(1, &mut [0, 1, 2], |contender| {
            order.push(*contender);
            0.0
        });
        assert_eq!(order, [0, 1, 2, 1, 2, 0]);
    }
}
