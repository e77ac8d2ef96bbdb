//! What a refusal costs that takes no question to the store, whatever it looks like.
//!
//! `cargo bench --all-features --bench refuse`; with `-- ratios` the ratios to a hit only.
#![allow(missing_docs, reason = "made by the macros of criterion")]

mod support;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use support::client::{log_in, node};
use support::request::{SKEY, present, presenting, without_token};
use support::rounds::Rounds;
use support::service::{bare, behind, bench, nanoseconds};
use support::{is_measured, print, scaled};
use tokio::runtime::Runtime;
use tower_wx_session::response::Preset;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{SessionLayer, Sessions, TokenSource};

const ROUNDS: usize = 15;
/// Answers of each kind in a round.
const ANSWERS: usize = 20_000;
/// Where in the text of a token there are random bytes.
const RANDOM: usize = 20;

const CASES: [&str; 5] = [
    "missing",
    "wrong_length",
    "wrong_alphabet",
    "bad_tag",
    "ambiguous",
];

/// How a refusal looks.
#[derive(Clone, Copy)]
struct Form {
    name: &'static str,
    preset: Preset,
    content_type: &'static str,
    status: StatusCode,
    /// Nothing was decided about the forms that are not the default.
    target: &'static str,
}

const FORMS: [Form; 4] = [
    Form {
        name: "json",
        preset: Preset::Json,
        content_type: "application/json",
        status: StatusCode::UNAUTHORIZED,
        target: "≤ 1.5",
    },
    Form {
        name: "ok_json",
        preset: Preset::OkJson,
        content_type: "application/json",
        status: StatusCode::OK,
        target: "none",
    },
    Form {
        name: "wafer",
        preset: Preset::Wafer,
        content_type: "application/json",
        status: StatusCode::OK,
        target: "none",
    },
    Form {
        name: "grpc",
        preset: Preset::Json,
        content_type: "application/grpc",
        status: StatusCode::OK,
        target: "≤ 3",
    },
];

impl Form {
    /// An ambiguous token is the client's mistake, which only `ok_json` and gRPC answer with 200.
    fn status_of(self, case: &str) -> StatusCode {
        match (case, self.name) {
            ("ambiguous", "json" | "wafer") => StatusCode::BAD_REQUEST,
            _ => self.status,
        }
    }

    fn layer(self, sessions: &Sessions<MemoryStore>) -> SessionLayer<MemoryStore> {
        let sources = [TokenSource::bearer(), TokenSource::skey()];
        SessionLayer::new(sessions.clone())
            .with_sources(sources)
            .with_rejection_response(self.preset)
    }

    /// Requests of this form to be refused.
    fn requests<'t>(self, case: &str, tokens: &'t Tokens) -> impl FnMut() -> Request<()> + use<'t> {
        let presented = tokens.of(case);
        let other = (case == "ambiguous").then_some(&tokens.other);
        let mut next = presenting(AUTHORIZATION, presented.unwrap_or(&tokens.live));
        let has_token = presented.is_some();
        move || {
            let mut request = if has_token { next() } else { without_token() };
            if let Some(other) = other {
                present(&mut request, &SKEY, other);
            }
            let content_type = HeaderValue::from_static(self.content_type);
            request.headers_mut().insert(CONTENT_TYPE, content_type);
            *request.method_mut() = Method::POST;
            request
        }
    }
}

/// Live tokens, and what is not one of them.
struct Tokens {
    live: Vec<String>,
    wrong_length: Vec<String>,
    wrong_alphabet: Vec<String>,
    bad_tag: Vec<String>,
    /// Of one more live session.
    other: String,
}

impl Tokens {
    fn new(mut live: Vec<String>) -> Self {
        let other = live.pop().expect("one more than are presented");
        let each = |change: fn(&str) -> String| live.iter().map(|token| change(token)).collect();
        Self {
            wrong_length: each(|token| token[1..].to_owned()),
            wrong_alphabet: each(|token| with(token, "!")),
            bad_tag: each(|token| {
                with(
                    token,
                    if &token[RANDOM..=RANDOM] == "A" {
                        "B"
                    } else {
                        "A"
                    },
                )
            }),
            live,
            other,
        }
    }

    fn of(&self, case: &str) -> Option<&[String]> {
        match case {
            "missing" => None,
            "wrong_length" => Some(&self.wrong_length),
            "wrong_alphabet" => Some(&self.wrong_alphabet),
            "bad_tag" => Some(&self.bad_tag),
            _ => Some(&self.live),
        }
    }
}

/// A token with another character among its random ones.
fn with(token: &str, character: &str) -> String {
    let (before, after) = (&token[..RANDOM], &token[RANDOM + 1..]);
    format!("{before}{character}{after}")
}

fn refuse(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("refuse");
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(2));
    for many in [1, 100_000] {
        let sessions = node(MemoryStore::new(), 200_000);
        let live = runtime.block_on(log_in(&sessions, scaled(many) + 1));
        let tokens = Tokens::new(live);
        for form in FORMS {
            bench_form(&mut group, form, (&sessions, &tokens), many);
            if is_measured() {
                compare_form(form, (&sessions, &tokens), many);
            }
        }
    }
    group.finish();
}

fn bench_form(
    group: &mut BenchmarkGroup<'_, WallTime>,
    form: Form,
    (sessions, tokens): (&Sessions<MemoryStore>, &Tokens),
    many: usize,
) {
    let mut service = behind(&form.layer(sessions));
    for case in CASES {
        let name = format!("{}/{case}/{many}", form.name);
        let requests = form.requests(case, tokens);
        bench(group, &name, (&mut service, form.status_of(case)), requests);
    }
}

/// Prints what refusals add to a request, as a ratio to what a hit adds.
fn compare_form(form: Form, (sessions, tokens): (&Sessions<MemoryStore>, &Tokens), many: usize) {
    let (mut bare, mut layered) = (bare(), behind(&form.layer(sessions)));
    let mut hits = form.requests("live", tokens);
    let mut refused = CASES.map(|case| form.requests(case, tokens));
    let mut measured: Vec<_> = (0..2 + CASES.len()).collect();
    let rounds = Rounds::of(ROUNDS, &mut measured, |which| match *which {
        0 => nanoseconds(&mut bare, &mut hits, ANSWERS),
        1 => nanoseconds(&mut layered, &mut hits, ANSWERS),
        case => nanoseconds(&mut layered, &mut refused[case - 2], ANSWERS),
    });
    for (number, case) in CASES.iter().enumerate() {
        let ratio = |round: &[f64]| (round[2 + number] - round[0]) / (round[1] - round[0]);
        let what = format!("{} {case}, {many} live, against a hit", form.name);
        print(&what, &rounds.spread(ratio), form.target);
    }
}

criterion_group!(benches, refuse);
criterion_main!(benches);
