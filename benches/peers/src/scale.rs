//! The added cost against the number of live sessions.

use std::env;

use crate::Outcome;
use crate::contender::{Make, bare, floor, hand_written, jwt, ours, tower_sessions_moka};
use crate::csv::Csv;
use crate::plan::Plan;
use crate::plot::{self, Curve};
use crate::text_table::TextTable;

const SESSIONS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const LONG: usize = 10_000_000;

const CONTENDERS: [Make; 5] = [
    ours::without_store,
    floor::new,
    hand_written::new,
    tower_sessions_moka::new,
    jwt::hs256,
];
/// So many of them fit in memory ten million times.
const LONG_CONTENDERS: usize = 2;

/// How much more a check may cost with a million sessions than with a thousand.
const GROWTH: f64 = 4.0;

pub(crate) fn run() -> Outcome {
    let mut curves: Vec<Curve> = Vec::new();
    for sessions in SESSIONS {
        add(&mut curves, sessions, &CONTENDERS);
    }
    if env::var("LONG").is_ok_and(|long| long == "1") {
        add(&mut curves, LONG, &CONTENDERS[..LONG_CONTENDERS]);
    }
    report(&curves);
    write(&curves)?;
    plot::cost(&curves)
}

/// Measures at one size; the name of a curve is its contender's.
fn add(curves: &mut Vec<Curve>, sessions: usize, makes: &[Make]) {
    let all = [bare::new as Make].into_iter().chain(makes.iter().copied());
    let mut contenders: Vec<_> = all.map(|make| make(sessions)).collect();
    let rounds = Plan::default().time(&mut contenders);
    for (index, contender) in contenders.iter().enumerate().skip(1) {
        let point = (sessions as f64, rounds.beyond(index, 0));
        match curves.iter_mut().find(|curve| curve.name == contender.name) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve::new(contender.name, vec![point])),
        }
    }
}

fn report(curves: &[Curve]) {
    let mut table = TextTable::new(["added cost", "sessions", "ns", "growth"]);
    for curve in curves {
        let first = curve.points[0].1;
        for (sessions, nanos) in &curve.points {
            let growth = format!("{:.2}", nanos / first);
            table.row([
                curve.name.to_owned(),
                sessions.to_string(),
                format!("{nanos:.0}"),
                growth,
            ]);
        }
    }
    println!(
        "What a check adds, by the number of live sessions (ours from 1 000 to 1 000 000: ≤ {GROWTH}):\n\n{table}"
    );
}

fn write(curves: &[Curve]) -> Outcome {
    let mut csv = Csv::new(["contender", "sessions", "added_ns"]);
    for curve in curves {
        for (sessions, nanos) in &curve.points {
            csv.line([
                curve.name.to_owned(),
                sessions.to_string(),
                format!("{nanos:.1}"),
            ]);
        }
    }
    Ok(csv.write("cost.csv")?)
}
