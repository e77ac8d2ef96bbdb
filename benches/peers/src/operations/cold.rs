//! Checks of sessions that this node does not know, against how many of them are in flight.

use tokio::runtime::Runtime;
use tower_wx_session::store::RedisStore;

use super::burst::Burst;
use super::operation::Operation;
use super::plain::Plain;
use super::row::Row;
use super::users::Users;
use super::{IN_FLIGHT, MOST};
use crate::csv::Csv;
use crate::plot::{self, Curve};
use crate::redis_server::RedisServer;
use crate::{Outcome, text_table::TextTable};

const POWERS_OF_TWO: u32 = 8;

/// Measures, prints and draws them beside plain reads.
pub(super) fn run(
    runtime: &Runtime,
    server: &RedisServer,
    version: &str,
    users: &mut Users<RedisStore>,
    plain: &Plain,
) -> Outcome {
    let mut csv = Csv::new([
        "server",
        "in_flight",
        "ours_per_second",
        "get_per_second",
        "ratio",
    ]);
    let mut table = TextTable::new(["in flight", "cold checks a second", "GET", "ratio"]);
    let [mut checks, mut gets] = [Vec::new(), Vec::new()];
    for in_flight in (0..POWERS_OF_TWO).map(|power| 1 << power) {
        let burst = Burst {
            in_flight,
            times: times(in_flight),
        };
        let row = Row::measure(runtime, server, Operation::Check, burst, users, plain);
        let ([ours, get], ratio) = (row.medians(), row.ratio());
        checks.push((in_flight as f64, ours));
        gets.push((in_flight as f64, get));
        let in_flight = in_flight.to_string();
        let [ours, get] = [ours, get].map(|rate| format!("{rate:.0}"));
        csv.line([
            version.to_owned(),
            in_flight.clone(),
            ours.clone(),
            get.clone(),
            format!("{:.3}", ratio.median()),
        ]);
        table.row([in_flight, ours, get, ratio.to_string()]);
    }
    println!("Cold checks on {version} against plain reads:\n\n{table}");
    csv.write("cold.csv")?;
    plot::cold(&[
        Curve::new("checks", checks),
        Curve::new("GET, the same client", gets),
    ])
}

/// As many in a turn as where so many are in flight elsewhere.
fn times(in_flight: usize) -> usize {
    let known = IN_FLIGHT.iter().find(|(known, _)| in_flight <= *known);
    known.map_or(MOST, |(_, times)| *times)
}
