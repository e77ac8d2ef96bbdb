//! What each step of a hit costs, with one live session: all in the caches of the processor.

use std::hint::black_box;
use std::time::Instant;

use http::Request;
use http::header::AUTHORIZATION;
use tower_wx_session::Session;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::HitSteps;

use crate::Outcome;
use crate::contender::ours;
use crate::plan::Plan;
use crate::requests::Requests;
use crate::rounds::Rounds;
use crate::runtime::runtime;
use crate::stopwatch::{BATCH, Spent, spend};
use crate::text_table::TextTable;

/// Runs a step so many times as make a batch.
type Batch<'a> = Box<dyn FnMut() -> Spent + 'a>;

/// A step that is the same each time.
fn step<'a, T>(mut run: impl FnMut() -> T + 'a) -> Batch<'a> {
    step_on(|| (), move |()| run())
}

/// A step on something that is new each time.
fn step_on<'a, N, T>(new: impl Fn() -> N + 'a, mut run: impl FnMut(&mut N) -> T + 'a) -> Batch<'a> {
    Box::new(move || {
        let mut each: Vec<_> = (0..BATCH).map(|_| new()).collect();
        let start = Instant::now();
        for one in &mut each {
            black_box(run(one));
        }
        Spent::on_batch(start.elapsed())
    })
}

pub(crate) fn run() -> Outcome {
    let _entered = runtime().enter();
    let sessions = ours::sessions(MemoryStore::new(), 1);
    let credentials = runtime().block_on(ours::log_in(&sessions, 1));
    let mut requests = Requests::new(Some(credentials));
    let mut next = || requests.next().map(drop);
    let mut request = next();
    let token = request.headers()[AUTHORIZATION].clone();
    let token = token.to_str()?.trim_start_matches("Bearer ");
    let session = runtime().block_on(sessions.check(token));
    let session = session.expect("it is live");
    let (steps, token) = (HitSteps::new(sessions), token.as_bytes());
    let fingerprint = steps.fingerprint(token).expect("it is a token");
    let bucket = session.id().bucket();
    let insert =
        |request: &mut Request<()>| request.extensions_mut().insert::<Session>(session.clone());
    let mut all: [(&str, Batch<'_>); 8] = [
        (
            "find and mark the token",
            step(|| steps.find(black_box(&mut request))),
        ),
        ("fingerprint", step(|| steps.fingerprint(black_box(token)))),
        (
            "(decode and digest)",
            step(|| steps.decode_and_digest(black_box(token))),
        ),
        ("clock", step(|| steps.clock())),
        (
            "probe of the hit table",
            step(|| steps.probe(black_box(fingerprint), black_box(bucket))),
        ),
        (
            "clock and decide",
            step(|| steps.clock_and_decide(black_box(&session))),
        ),
        (
            "clock and note the use",
            step(|| steps.clock_and_use(black_box(&session))),
        ),
        (
            "insert into the extensions",
            step_on(|| Request::new(()), insert),
        ),
    ];
    let Plan { rounds, time } = Plan::default();
    let rounds = Rounds::of(rounds, &mut all, |(_, batch)| spend(batch, time).nanos());
    let mut table = TextTable::new(["step", "ns"]);
    for (index, (name, _)) in all.iter().enumerate() {
        let nanos = format!("{:.1}", rounds.median(index));
        table.row([(*name).to_owned(), nanos]);
    }
    println!("What the steps of a hit take, with one session:\n\n{table}");
    Ok(())
}
