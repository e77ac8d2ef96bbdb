//! The ratios of the added cost.

use crate::Outcome;
use crate::contender::{
    Contender, Make, axum_login, axum_session, bare, floor, hand_written, jwt, ours, refusal,
    tower_sessions, tower_sessions_moka,
};
use crate::csv::Csv;
use crate::plan::Plan;
use crate::rounds::Rounds;
use crate::text_table::TextTable;

/// The two sizes: one hot session, and as many as a busy node has.
const SESSIONS: [usize; 2] = [1, 100_000];

const BARE: usize = 0;
const OURS: usize = 1;

/// A peer, and the ratio to reach at each size where there is a target.
struct Peer(Make, [Option<f64>; 2]);

const PEERS: [Peer; 8] = [
    Peer(floor::new, [Some(0.95), Some(1.05)]),
    Peer(hand_written::new, [Some(0.45), Some(0.4)]),
    Peer(tower_sessions::new, [None, None]),
    Peer(tower_sessions_moka::new, [Some(0.2), Some(0.25)]),
    Peer(axum_login::new, [None, None]),
    Peer(axum_session::new, [None, None]),
    Peer(jwt::hs256, [Some(0.25), Some(0.7)]),
    Peer(jwt::eddsa, [None, None]),
];

/// How many times a hit a refusal may cost.
const REFUSAL: f64 = 1.5;
const GRPC_REFUSAL: f64 = 3.0;

pub(crate) fn run() -> Outcome {
    let mut csv = Csv::new(["comparison", "sessions", "added_ns", "ratio", "target"]);
    let mut table = TextTable::new([
        "against", "sessions", "added", "ours", "ratio", "target", "",
    ]);
    for (size, sessions) in SESSIONS.into_iter().enumerate() {
        for row in peers(size, sessions) {
            row.print(&mut table, &mut csv);
        }
    }
    println!("Ours against each peer, in what it adds to a request:\n\n{table}");
    let mut table = TextTable::new(["refusal", "sessions", "added", "hit", "ratio", "target", ""]);
    for sessions in SESSIONS {
        for row in refusals(sessions) {
            row.print(&mut table, &mut csv);
        }
    }
    println!("Refusals without the store against a hit:\n\n{table}");
    csv.write("ratios.csv")?;
    Ok(())
}

/// One comparison.
struct Row {
    name: &'static str,
    sessions: usize,
    /// Nanoseconds that the row's own adds.
    added: f64,
    /// Nanoseconds that what it is compared with adds.
    other: f64,
    ratio: f64,
    target: Option<f64>,
}

impl Row {
    fn print(&self, table: &mut TextTable, csv: &mut Csv) {
        let target = self.target.map(|target| format!("≤ {target:.2}"));
        let verdict = self.target.map_or("", |target| match self.ratio <= target {
            true => "reached",
            false => "missed",
        });
        table.row([
            self.name.to_owned(),
            self.sessions.to_string(),
            format!("{:.0} ns", self.added),
            format!("{:.0} ns", self.other),
            format!("{:.2}", self.ratio),
            target.unwrap_or_default(),
            verdict.to_owned(),
        ]);
        csv.line([
            self.name.replace(',', ""),
            self.sessions.to_string(),
            format!("{:.1}", self.added),
            format!("{:.4}", self.ratio),
            self.target
                .map(|target| target.to_string())
                .unwrap_or_default(),
        ]);
    }
}

fn peers(size: usize, sessions: usize) -> Vec<Row> {
    let makes = [bare::new as Make, ours::new].into_iter();
    let makes = makes.chain(PEERS.iter().map(|peer| peer.0));
    let mut contenders: Vec<_> = makes.map(|make| make(sessions)).collect();
    let rounds = Plan::default().time(&mut contenders);
    let rows = contenders.iter().enumerate().skip(OURS + 1);
    rows.map(|(index, peer)| Row {
        name: peer.name,
        sessions,
        added: rounds.beyond(index, BARE),
        other: rounds.beyond(OURS, BARE),
        ratio: rounds.ratio_beyond(OURS, index, BARE),
        target: PEERS[index - OURS - 1].1[size],
    })
    .collect()
}

fn refusals(sessions: usize) -> Vec<Row> {
    let mut contenders = vec![bare::new(sessions)];
    contenders.extend(refusal::all(sessions));
    let rounds = Plan::default().time(&mut contenders);
    let rows = contenders.iter().enumerate().skip(OURS + 1);
    rows.map(|(index, contender)| refused(index, contender, sessions, &rounds))
        .collect()
}

fn refused(index: usize, contender: &Contender, sessions: usize, rounds: &Rounds) -> Row {
    let is_grpc = contender.name.ends_with("gRPC");
    Row {
        name: contender.name,
        sessions,
        added: rounds.beyond(index, BARE),
        other: rounds.beyond(OURS, BARE),
        ratio: rounds.ratio_beyond(index, OURS, BARE),
        target: Some(if is_grpc { GRPC_REFUSAL } else { REFUSAL }),
    }
}
