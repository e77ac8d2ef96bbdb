//! What the layer takes from a server over loopback, under load from another process.
//!
//! `cargo bench --all-features --bench end_to_end`. It needs `wrk`; with `taskset` and two
//! processors, server and load have one each.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the figures are the output"
)]

mod support;

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::{env, fs, thread};

use axum::Router;
use axum::routing::get;
use support::client::log_in;
use support::is_measured;
use support::rounds::{Spread, print, print_count, try_in_turns};
use support::wrk::{Wrk, pinned};
use tokio::net::TcpListener;
use tower::layer::util::Identity;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{SessionLayer, Sessions};

const SESSIONS: usize = 1000;
const ROUNDS: usize = 12;
const SECONDS: u32 = 2;
/// Has this program be the server.
const SERVE: &str = "serve";

/// What is measured: the handler bare, behind a layer that does nothing, and behind ours.
const VARIANTS: [&str; 3] = ["bare", "empty layer", "layered"];

/// Serves the same handler in each variant, on a thread of its own; says where and to whom.
async fn serve() -> io::Result<()> {
    let sessions = Sessions::new(MemoryStore::new());
    let tokens = log_in(&sessions, SESSIONS).await;
    let bare = Router::new().route("/me", get(async || r#"{"ok":true}"#));
    let empty = bare.clone().layer(Identity::new());
    let layered = bare.clone().layer(SessionLayer::new(sessions));
    let mut servers = Vec::new();
    for router in [bare, empty, layered] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/me", listener.local_addr()?);
        servers.push(tokio::spawn(axum::serve(listener, router).into_future()));
    }
    println!("{}", tokens.join(" "));
    for server in servers {
        server.await??;
    }
    Ok(())
}

/// Ends with whoever started it.
fn run_server() -> io::Result<()> {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(serve())
}

/// The server in a process of its own.
struct Server {
    child: Child,
    /// Of each variant.
    urls: [String; VARIANTS.len()],
    tokens: Vec<String>,
}

impl Server {
    fn start(prefix: &[&str]) -> io::Result<Self> {
        let prefix: Vec<_> = prefix.iter().map(ToString::to_string).collect();
        let mut child = pinned(&prefix, &env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(stdout).lines();
        let mut line = || {
            lines
                .next()
                .unwrap_or(Err(io::ErrorKind::UnexpectedEof.into()))
        };
        let urls = [line()?, line()?, line()?];
        let tokens = line()?.split(' ').map(str::to_owned).collect();
        Ok(Self {
            child,
            urls,
            tokens,
        })
    }

    /// Processor time that it has had, in ticks; not everywhere can that be seen.
    fn ticks(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let times = fields.split_whitespace().skip(11).take(2);
        times.map(|ticks| ticks.parse::<f64>().ok()).sum()
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

/// Prints what of the bare handler's rate the layered one has.
fn compare() -> Result<(), String> {
    let (server, load): (&[&str], &[&str]) = if can_pin() {
        (&["taskset", "-c", "0"], &["taskset", "-c", "1"])
    } else {
        println!("no taskset, or no second processor: server and load run wherever they may");
        (&[], &[])
    };
    let server = Server::start(server).map_err(|error| error.to_string())?;
    let wrk = Wrk::new(&server.tokens, load)?;
    let mut ticks = [0.0; VARIANTS.len()];
    let mut rate = |which: usize| -> Result<f64, String> {
        let before = server.ticks();
        let rate = wrk.requests_per_second(&server.urls[which], SECONDS)?;
        let spent = server
            .ticks()
            .zip(before)
            .map(|(after, before)| after - before);
        // Per request, because the time is the same and the requests differ.
        ticks[which] += spent.unwrap_or(f64::NAN) / rate;
        Ok(rate)
    };
    // The first requests find everything cold.
    try_in_turns(1, VARIANTS.len(), &mut rate)?;
    let rounds = try_in_turns(ROUNDS, VARIANTS.len(), &mut rate)?;
    print_rates(&rounds, ticks);
    Ok(())
}

fn print_rates(rounds: &[Vec<f64>], ticks: [f64; VARIANTS.len()]) {
    for (which, name) in VARIANTS.iter().enumerate() {
        let rate = Spread::of(rounds, |round| round[which]);
        print(&format!("{name}, requests per second"), &rate, "none");
    }
    for (against, name) in VARIANTS[..2].iter().enumerate() {
        let lost = Spread::of(rounds, |round| 100.0 * (1.0 - round[2] / round[against]));
        let target = if against == 0 { "≤ 2" } else { "none" };
        print(
            &format!("requests lost against {name}, percent"),
            &lost,
            target,
        );
        let time = ticks[2] / ticks[against];
        print_count(
            &format!("the server's time per request, layered / {name}"),
            time,
            "none",
        );
    }
}

fn main() -> ExitCode {
    let is_server = env::args().nth(1).is_some_and(|argument| argument == SERVE);
    let outcome = if is_server {
        run_server().map_err(|error| error.to_string())
    } else if is_measured() {
        compare()
    } else {
        Ok(())
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("end_to_end: {error}");
            ExitCode::FAILURE
        }
    }
}
