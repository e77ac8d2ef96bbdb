//! What the layer takes from a server over loopback, under load from another process: of the server's
//! processor time above all, since the rate of requests depends on how long the load generator sleeps.
//!
//! It needs `wrk`; with `taskset` and two processors, server and load have one each.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::{env, thread};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tower::layer::util::Identity;
use tower_wx_session::SessionLayer;
use tower_wx_session::store::MemoryStore;

use crate::Outcome;
use crate::contender::ours;
use crate::processor_time::processor_time;
use crate::rounds::Rounds;
use crate::text_table::TextTable;
use crate::wrk::{Wrk, pinned};

const SESSIONS: usize = 1000;
const ROUNDS: usize = 24;
const SECONDS: u32 = 1;
/// How many times the processor time that the app takes behind a layer that does nothing.
const TARGET: f64 = 1.03;
/// Has this program be the server.
pub(crate) const SERVE: &str = "serve";

/// What is measured: the app bare, behind a layer that does nothing, and behind ours.
const VARIANTS: [&str; 3] = ["no layer", "a layer that does nothing", "ours"];
const OURS: usize = 2;
/// What ours is compared with: the second is the one that counts.
const AGAINST: [(usize, Option<f64>); 2] = [(0, None), (1, Some(TARGET))];

/// Serves the same handler in each variant; says where, and with which credentials.
async fn serve_all() -> io::Result<()> {
    let sessions = ours::sessions(MemoryStore::new(), SESSIONS);
    let credentials = ours::log_in(&sessions, SESSIONS).await;
    let bare = Router::new().route("/me", get(async || r#"{"ok":true}"#));
    let empty = bare.clone().layer(Identity::new());
    let layered = bare.clone().layer(SessionLayer::new(sessions));
    let mut servers = Vec::new();
    for router in [bare, empty, layered] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/me", listener.local_addr()?);
        servers.push(tokio::spawn(axum::serve(listener, router).into_future()));
    }
    for value in credentials.values() {
        println!("{}", String::from_utf8_lossy(value));
    }
    for server in servers {
        server.await??;
    }
    Ok(())
}

/// Is the server, on this thread, and ends with whoever started it.
pub(crate) fn serve() -> Outcome {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let mut runtime = Builder::new_current_thread();
    Ok(runtime.enable_all().build()?.block_on(serve_all())?)
}

/// The server in a process of its own.
struct Server {
    child: Child,
    /// Of each variant.
    urls: [String; VARIANTS.len()],
    credentials: Vec<String>,
}

impl Server {
    fn start(prefix: &[&str]) -> io::Result<Self> {
        let mut child = pinned(prefix, &env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let lines = BufReader::new(stdout).lines();
        let mut lines = lines.take(VARIANTS.len() + SESSIONS);
        let mut line = || {
            lines
                .next()
                .unwrap_or(Err(io::ErrorKind::UnexpectedEof.into()))
        };
        Ok(Self {
            urls: [line()?, line()?, line()?],
            credentials: lines.collect::<io::Result<_>>()?,
            child,
        })
    }

    /// Processor time that its one thread has had, in nanoseconds; not everywhere can that be seen.
    fn processor_time(&self) -> Option<f64> {
        let spent = processor_time(self.child.id()).ok()?;
        Some(spent.as_nanos() as f64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether programs can be kept on the first two processors.
fn can_pin() -> bool {
    ["0", "1"].iter().all(|processor| {
        let pinned = Command::new("taskset")
            .args(["-c", processor, "true"])
            .status();
        pinned.is_ok_and(|status| status.success())
    })
}

/// One of the variants under load.
struct Loaded<'a> {
    server: &'a Server,
    wrk: &'a Wrk,
    url: &'a str,
    /// Of the server for a request, in nanoseconds, in each turn.
    processor_times: Vec<f64>,
    failure: Option<String>,
}

impl Loaded<'_> {
    /// Requests per second; after a failure, no figure.
    fn rate(&mut self) -> f64 {
        let before = self.server.processor_time();
        match self.wrk.load(self.url, SECONDS) {
            Ok(load) => {
                let spent = self.server.processor_time().zip(before);
                let spent = spent.map_or(f64::NAN, |(after, before)| after - before);
                self.processor_times.push(spent / load.requests);
                load.rate
            }
            Err(failure) => {
                self.failure.get_or_insert(failure);
                f64::NAN
            }
        }
    }
}

pub(crate) fn run() -> Outcome {
    let (server, load): (&[&str], &[&str]) = if can_pin() {
        (&["taskset", "-c", "0"], &["taskset", "-c", "1"])
    } else {
        println!("no taskset, or no second processor: server and load run wherever they may");
        (&[], &[])
    };
    let server = &Server::start(server)?;
    let wrk = &Wrk::new(&server.credentials, load)?;
    let mut variants = server.urls.each_ref().map(|url| Loaded {
        server,
        wrk,
        url,
        processor_times: Vec::new(),
        failure: None,
    });
    let rates = Rounds::of(ROUNDS, &mut variants, Loaded::rate);
    if let Some(failure) = variants
        .iter_mut()
        .find_map(|variant| variant.failure.take())
    {
        return Err(failure.into());
    }
    // The same turns once more, in the same order: their other figure.
    let mut times = variants.map(|variant| variant.processor_times.into_iter());
    let times = Rounds::of(ROUNDS, &mut times, |times| times.next().unwrap_or(f64::NAN));
    println!("Over loopback:\n\n{}", figures(&rates, &times));
    println!("{}", comparison(&rates, &times));
    Ok(())
}

fn figures(rates: &Rounds, times: &Rounds) -> TextTable {
    let mut table = TextTable::new(["app behind", "requests per second", "server's µs for each"]);
    for (which, name) in VARIANTS.iter().enumerate() {
        let micros = times.spread(|row| row[which] / 1000.0);
        let rate = format!("{:.0}", rates.median(which));
        table.row([(*name).to_owned(), rate, micros.to_string()]);
    }
    table
}

fn comparison(rates: &Rounds, times: &Rounds) -> TextTable {
    let mut table = TextTable::new([
        "ours against",
        "requests lost, percent",
        "server's time",
        "target",
        "",
    ]);
    for (against, target) in AGAINST {
        let lost = rates.spread(|row| 100.0 * (1.0 - row[OURS] / row[against]));
        let time = times.spread(|row| row[OURS] / row[against]);
        let verdict = target.map_or("", |target| match time.median() <= target {
            true => "reached",
            false => "missed",
        });
        table.row([
            VARIANTS[against].to_owned(),
            lost.to_string(),
            time.to_string(),
            target
                .map(|target| format!("≤ {target:.2}"))
                .unwrap_or_default(),
            verdict.to_owned(),
        ]);
    }
    table
}
