//! The throughput against the number of threads.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::contender::{Make, floor, hand_written, jwt, ours, tower_sessions_moka};
use crate::csv::Csv;
use crate::plan::Plan;
use crate::plot::{self, Curve};
use crate::rounds::Rounds;
use crate::stopwatch::{Spent, Timed};
use crate::text_table::TextTable;

pub(crate) const THREADS: [usize; 3] = [1, 2, 4];

const CONTENDERS: [Make; 5] = [
    ours::new,
    floor::new,
    hand_written::new,
    tower_sessions_moka::new,
    jwt::hs256,
];
const OURS: usize = 0;
const FLOOR: usize = 1;

/// One hot session, and as many as a busy node has.
const SESSIONS: [(&str, usize); 2] = [("one hot", 1), ("uniform", 100_000)];

/// What ours has to make of a second thread, as a part of what the floor makes of it.
const SPEED_UP: f64 = 0.9;

const PLAN: Plan = Plan {
    rounds: 7,
    time: Duration::from_millis(300),
};

pub(crate) fn run() -> Outcome {
    let mut csv = Csv::new(["sessions", "contender", "threads", "calls_per_second"]);
    let mut table = TextTable::new(["throughput", "contender", "1", "2", "4", "2 against 1"]);
    let mut curves = Vec::new();
    for (visits, sessions) in SESSIONS {
        let contenders: Vec<_> = CONTENDERS.iter().map(|make| make(sessions)).collect();
        let rounds = throughputs(&contenders, PLAN);
        for (index, contender) in contenders.iter().enumerate() {
            let curve = curve(visits, contender.name, &rounds, index);
            report(&mut table, visits, contender.name, &curve, &rounds, index);
            for (threads, rate) in &curve.points {
                let cells = [
                    visits.to_owned(),
                    contender.name.to_owned(),
                    threads.to_string(),
                    format!("{rate:.0}"),
                ];
                csv.line(cells);
            }
            curves.push(curve);
        }
        let share = rounds.middle(|row| speed_up(row, OURS) / speed_up(row, FLOOR));
        println!("{visits}: ours has {share:.2} of the floor's speed-up (target: ≥ {SPEED_UP})");
    }
    println!("\nMillions of calls for each second:\n\n{table}");
    csv.write("threads.csv")?;
    plot::threads(&curves)
}

/// The calls for each second of each contender with each number of threads, one after the other.
pub(crate) fn throughputs<T: Timed>(contenders: &[T], plan: Plan) -> Rounds {
    let mut crews: Vec<_> = contenders
        .iter()
        .flat_map(|contender| THREADS.map(|threads| crew(contender, threads)))
        .collect();
    Rounds::of(plan.rounds, &mut crews, |crew| together(crew, plan.time))
}

fn crew(contender: &impl Timed, threads: usize) -> Vec<Box<dyn Timed>> {
    (1..=threads as u64)
        .map(|seed| contender.twin(seed))
        .collect()
}

/// The sum of the rates of all, each on a thread of its own for the same time.
fn together(crew: &mut [Box<dyn Timed>], time: Duration) -> f64 {
    let start = Barrier::new(crew.len());
    thread::scope(|scope| {
        let start = &start;
        let threads = crew.iter_mut().map(|one| {
            scope.spawn(move || {
                start.wait();
                for_so_long(&mut **one, time).rate()
            })
        });
        let threads: Vec<_> = threads.collect();
        let rates = threads.into_iter().map(|thread| thread.join());
        rates.map(|rate| rate.expect("no thread panics")).sum()
    })
}

fn for_so_long(one: &mut dyn Timed, time: Duration) -> Spent {
    let start = Instant::now();
    let mut spent = Spent::default();
    while start.elapsed() < time {
        spent += one.batch();
    }
    spent
}

/// How many times the throughput of one thread two have, in one round.
pub(crate) fn speed_up(row: &[f64], contender: usize) -> f64 {
    let one = contender * THREADS.len();
    row[one + 1] / row[one]
}

fn curve(visits: &str, name: &str, rounds: &Rounds, contender: usize) -> Curve {
    let point = |(index, threads): (usize, usize)| {
        let rate = rounds.median(contender * THREADS.len() + index);
        (threads as f64, rate)
    };
    let points = THREADS.into_iter().enumerate().map(point).collect();
    Curve::new(format!("{name} {visits}"), points)
}

fn report(
    table: &mut TextTable,
    visits: &str,
    name: &str,
    curve: &Curve,
    rounds: &Rounds,
    contender: usize,
) {
    let millions = |index: usize| format!("{:.2}", curve.points[index].1 / 1e6);
    let speed_up = rounds.middle(|row| speed_up(row, contender));
    table.row([
        visits.to_owned(),
        name.to_owned(),
        millions(0),
        millions(1),
        millions(2),
        format!("{speed_up:.2}"),
    ]);
}
