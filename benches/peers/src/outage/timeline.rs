use std::ops::Range;
use std::time::Duration;

use http::StatusCode;

use crate::Outcome;
use crate::csv::Csv;
use crate::latency::{Latencies, Micros};
use crate::plot::{self, Curve};
use crate::text_table::TextTable;

/// What is put together to one point.
const STEP: Duration = Duration::from_millis(100);

/// Statuses that are counted: passed, told to log in, told to try again.
const STATUSES: [StatusCode; 3] = [
    StatusCode::OK,
    StatusCode::UNAUTHORIZED,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Whether the node had seen the session of a request before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Known,
    Unknown,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    pub(super) at: Duration,
    pub(super) latency: Duration,
    pub(super) status: StatusCode,
}

/// All requests, by when they were sent.
#[derive(Debug, Default)]
pub(super) struct Timeline([Vec<Step>; 2]);

#[derive(Clone, Debug, Default)]
struct Step {
    latencies: Latencies,
    /// In the order of [`STATUSES`].
    statuses: [usize; 3],
}

impl Timeline {
    pub(super) fn add(&mut self, seen: Seen) {
        let steps = &mut self.0[seen.kind as usize];
        let index = (seen.at.as_millis() / STEP.as_millis()) as usize;
        if steps.len() <= index {
            steps.resize_with(index + 1, Step::default);
        }
        let step = &mut steps[index];
        step.latencies.add(seen.latency);
        if let Some(status) = STATUSES.iter().position(|status| *status == seen.status) {
            step.statuses[status] += 1;
        }
    }

    pub(super) fn report(mut self, outage: Range<Duration>) -> Outcome {
        let mut csv = Csv::new([
            "seconds", "sessions", "p50_us", "p99_us", "200", "401", "503",
        ]);
        let mut curves = Vec::new();
        for (kind, name) in [(Kind::Known, "known"), (Kind::Unknown, "not seen before")] {
            let mut points = Vec::new();
            for (index, step) in self.0[kind as usize].iter_mut().enumerate() {
                let seconds = (STEP * index as u32).as_secs_f64();
                let [p50, p99] = step.latencies.per_mille([500, 990]);
                let [passed, refused, unknown] = step.statuses.map(|number| number.to_string());
                let [p50, p99_us] = [p50, p99].map(|latency| Micros(latency).to_string());
                csv.line([
                    format!("{seconds:.1}"),
                    name.to_owned(),
                    p50,
                    p99_us,
                    passed,
                    refused,
                    unknown,
                ]);
                points.push((seconds, p99.as_secs_f64() * 1000.0));
            }
            curves.push(Curve::new(name, points));
        }
        println!(
            "Redis is killed and comes back:\n\n{}",
            self.summary(&outage)
        );
        csv.write("outage.csv")?;
        plot::outage(
            &curves,
            outage.start.as_secs_f64()..outage.end.as_secs_f64(),
        )
    }

    fn summary(&self, outage: &Range<Duration>) -> TextTable {
        let mut table = TextTable::new(["sessions", "phase", "slowest p99", "200", "401", "503"]);
        let [killed, restarted] = [outage.start, outage.end].map(index);
        for (steps, name) in self.0.iter().zip(["known", "not seen before"]) {
            let phases = [
                ("before", 0, killed),
                ("outage", killed, restarted),
                ("after", restarted, steps.len()),
            ];
            for (phase, from, to) in phases {
                let phase_steps = &steps[from.min(steps.len())..to.min(steps.len())];
                let slowest = phase_steps
                    .iter()
                    .map(|step| step.latencies.clone().per_mille([990])[0]);
                let slowest = Micros(slowest.max().unwrap_or_default());
                let sum = |status: usize| {
                    phase_steps
                        .iter()
                        .map(|step| step.statuses[status])
                        .sum::<usize>()
                        .to_string()
                };
                table.row([
                    name.to_owned(),
                    phase.to_owned(),
                    format!("{slowest} µs"),
                    sum(0),
                    sum(1),
                    sum(2),
                ]);
            }
        }
        table
    }
}

fn index(time: Duration) -> usize {
    (time.as_millis() / STEP.as_millis()) as usize
}
