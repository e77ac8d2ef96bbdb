//! What the layer takes from a server over loopback, under load from another process.
//!
//! It needs `wrk`; with `taskset` and two processors, server and load have one each.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::{env, fs, thread};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tower::layer::util::Identity;
use tower_wx_session::SessionLayer;
use tower_wx_session::store::MemoryStore;

use crate::Outcome;
use crate::contender::ours;
use crate::rounds::Rounds;
use crate::text_table::TextTable;
use crate::wrk::{Wrk, pinned};

const SESSIONS: usize = 1000;
const ROUNDS: usize = 12;
const SECONDS: u32 = 2;
/// Has this program be the server.
pub(crate) const SERVE: &str = "serve";

/// What is measured: the handler bare, behind a layer that does nothing, and behind ours.
const VARIANTS: [&str; 3] = ["bare", "empty layer", "layered"];

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

/// One of the variants under load.
struct Loaded<'a> {
    server: &'a Server,
    wrk: &'a Wrk,
    url: &'a str,
    /// Ticks of the server for each request of a second.
    ticks: f64,
    failure: Option<String>,
}

impl Loaded<'_> {
    /// Requests per second; after a failure, no figure.
    fn rate(&mut self) -> f64 {
        let before = self.server.ticks();
        match self.wrk.requests_per_second(self.url, SECONDS) {
            Ok(rate) => {
                let spent = self.server.ticks().zip(before);
                let spent = spent.map(|(after, before)| after - before);
                // Per request, because the time is the same and the requests differ.
                self.ticks += spent.unwrap_or(f64::NAN) / rate;
                rate
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
        ticks: 0.0,
        failure: None,
    });
    let rounds = Rounds::of(ROUNDS, &mut variants, Loaded::rate);
    if let Some(failure) = variants
        .iter_mut()
        .find_map(|variant| variant.failure.take())
    {
        return Err(failure.into());
    }
    println!("Over loopback:\n\n{}", rates(&rounds));
    println!("{}", losses(&rounds, variants.map(|variant| variant.ticks)));
    Ok(())
}

fn rates(rounds: &Rounds) -> TextTable {
    let mut table = TextTable::new(["handler", "requests per second"]);
    for (which, name) in VARIANTS.iter().enumerate() {
        let rate = rounds.spread(|row| row[which]);
        table.row([(*name).to_owned(), rate.to_string()]);
    }
    table
}

fn losses(rounds: &Rounds, ticks: [f64; VARIANTS.len()]) -> TextTable {
    let mut table = TextTable::new(["layered against", "requests lost, percent", "server's time"]);
    for (against, name) in VARIANTS[..2].iter().enumerate() {
        let lost = rounds.spread(|row| 100.0 * (1.0 - row[2] / row[against]));
        let target = if against == 0 { "; target ≤ 2" } else { "" };
        let time = format!("{:.3}", ticks[2] / ticks[against]);
        table.row([(*name).to_owned(), format!("{lost}{target}"), time]);
    }
    table
}
