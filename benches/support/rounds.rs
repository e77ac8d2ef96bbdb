//! Rounds in which everything that is compared is measured once, in an order that alternates: a
//! machine that is slow for a while is slow for all.
#![allow(clippy::print_stdout, reason = "the figures are the output of a bench")]

use std::convert::Infallible;
use std::fmt;

/// Measures by number, from 0 up to `measured`; gives the figures of each round.
pub fn in_turns(
    rounds: usize,
    measured: usize,
    mut measure: impl FnMut(usize) -> f64,
) -> Vec<Vec<f64>> {
    let rounds = try_in_turns(rounds, measured, |which| {
        Ok::<_, Infallible>(measure(which))
    });
    let Ok(rounds) = rounds;
    rounds
}

/// The same with measurements that may fail: the first failure ends it.
pub fn try_in_turns<E>(
    rounds: usize,
    measured: usize,
    mut measure: impl FnMut(usize) -> Result<f64, E>,
) -> Result<Vec<Vec<f64>>, E> {
    let mut round = |number: usize| {
        let mut figures = vec![0.0; measured];
        for turn in 0..measured {
            let is_forth = number.is_multiple_of(2);
            let which = if is_forth { turn } else { measured - 1 - turn };
            figures[which] = measure(which)?;
        }
        Ok(figures)
    };
    (0..rounds).map(&mut round).collect()
}

/// One figure of each round, in order of size.
pub struct Spread(Vec<f64>);

impl Spread {
    /// Makes a figure of each round's.
    pub fn of(rounds: &[Vec<f64>], figure: impl Fn(&[f64]) -> f64) -> Self {
        let mut figures: Vec<_> = rounds.iter().map(|round| figure(round)).collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    pub fn median(&self) -> f64 {
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

/// Prints a row of the table of ratios.
pub fn print(what: &str, ratio: &Spread, target: &str) {
    println!("{what:<58} {ratio}  target {target}");
}

/// Prints a row for a figure that was counted.
pub fn print_count(what: &str, count: f64, target: &str) {
    println!("{what:<58} {count:.3}  target {target}");
}
