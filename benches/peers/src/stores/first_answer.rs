//! How long it takes a process to start and answer for one session among many.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, stdin};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

use tokio::runtime::Runtime;
use tower_sessions_0_14::SessionStore as _;

use super::database::Database;
use super::file::File;
use super::mariadb::MariaDb;
use super::postgres::Postgres;
use crate::Outcome;
use crate::operations::users::node;
use crate::user::identity;

/// Has this program be one that starts.
pub(crate) const ANSWER: &str = "first-answer";

const STARTS: usize = 5;
const ANSWERED: &str = "answered";
const WRITTEN: &str = "written";

/// Whose store it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    Ours,
    Peers,
}

impl Whose {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Peers => "peers",
        }
    }
}

/// The medians of some starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstAnswer {
    pub(crate) after_an_end: Duration,
    pub(crate) after_a_kill: Duration,
}

impl FirstAnswer {
    /// Starts processes that answer for that session.
    pub(crate) fn measure<D: Database>(
        whose: Whose,
        address: &str,
        session: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let arguments = [ANSWER, D::NAME, whose.name(), address, session];
        let (mut after_an_end, mut after_a_kill) = (Vec::new(), Vec::new());
        Started::new(arguments)?.end()?;
        for _ in 0..STARTS {
            let started = Started::new(arguments)?;
            after_an_end.push(started.took);
            started.kill()?;
            let started = Started::new(arguments)?;
            after_a_kill.push(started.took);
            started.end()?;
        }
        Ok(Self {
            after_an_end: median(after_an_end),
            after_a_kill: median(after_a_kill),
        })
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A process that has answered, and has written after that.
struct Started {
    child: Child,
    took: Duration,
}

impl Started {
    fn new(arguments: [&str; 5]) -> Result<Self, Box<dyn Error>> {
        let start = Instant::now();
        let mut child = Command::new(env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("it has a pipe")?;
        let mut stdout = BufReader::new(stdout);
        expect(ANSWERED, &mut stdout)?;
        let took = start.elapsed();
        expect(WRITTEN, &mut stdout)?;
        Ok(Self { child, took })
    }

    /// Has it end in order.
    fn end(mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().map(drop)
    }

    /// `kill -9`.
    fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

fn expect(word: &str, stdout: &mut BufReader<ChildStdout>) -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    match line.trim() == word {
        true => Ok(()),
        false => Err(format!("a process that starts says {line:?}").into()),
    }
}

/// Is such a process; the arguments are those of [`FirstAnswer::measure`].
pub(crate) fn answer(mut arguments: impl Iterator<Item = String>) -> Outcome {
    let mut next = || arguments.next().unwrap_or_default();
    let [database, whose, address, session] = [next(), next(), next(), next()];
    let is_ours = whose == Whose::Ours.name();
    match &*database {
        File::NAME => answer_in::<File>(is_ours, &address, &session),
        Postgres::NAME => answer_in::<Postgres>(is_ours, &address, &session),
        _ => answer_in::<MariaDb>(is_ours, &address, &session),
    }
}

fn answer_in<D: Database>(is_ours: bool, address: &str, session: &str) -> Outcome {
    Runtime::new()?.block_on(async {
        match is_ours {
            true => ours::<D>(address, session).await,
            false => peers::<D>(address, session).await,
        }
    })
}

async fn ours<D: Database>(address: &str, token: &str) -> Outcome {
    let sessions = node(&D::ours(address).await?);
    sessions.check(token).await?;
    println!("{ANSWERED}");
    sessions.issue(identity(0)).await?;
    until_the_end()?;
    Ok(sessions.shutdown().await?)
}

async fn peers<D: Database>(address: &str, id: &str) -> Outcome {
    let store = D::peer(address, D::POOLS[0]).await?;
    let record = store.load(&id.parse()?).await?.ok_or("it is live")?;
    println!("{ANSWERED}");
    store.save(&record).await?;
    until_the_end()
}

/// Says that it has written, and waits until the one who started it wants it to end.
fn until_the_end() -> Outcome {
    println!("{WRITTEN}");
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
