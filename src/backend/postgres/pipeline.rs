use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::{Error, Row};

use super::connection::Parameter;
use super::session::Session;

/// The steps of a transaction that are sent at once.
///
/// The server takes them one after the other. The first that fails is the failure of all: the server
/// refuses what comes behind it, and makes a rollback of the `COMMIT`.
#[derive(Default)]
pub(super) struct Pipeline<'a> {
    steps: Vec<Step<'a>>,
    begins: bool,
    commits: bool,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Query(&'a str, &'a [Parameter<'a>]),
    /// It has no parameters and no rows.
    Command(&'a str),
}

/// The rows, of a step that has any.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<Row>>, Error>> + Send + 'a>>;

/// What a session of our own has set once, for a session that a pooler may give to somebody else afterwards: so
/// nothing outlives the transaction.
const BEGIN_WITH_SETTINGS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '1s'; \
    SET LOCAL idle_in_transaction_session_timeout = '2s'";

impl<'a> Pipeline<'a> {
    /// The first steps of a transaction.
    pub(super) fn begin() -> Self {
        Self {
            begins: true,
            ..Self::default()
        }
    }

    pub(super) fn then(mut self, statement: &'a str, parameters: &'a [Parameter<'a>]) -> Self {
        self.steps.push(Step::Query(statement, parameters));
        self
    }

    pub(super) fn command(mut self, command: &'a str) -> Self {
        self.steps.push(Step::Command(command));
        self
    }

    pub(super) fn commit(mut self) -> Self {
        self.commits = true;
        self
    }

    /// Makes sure that the statements are prepared, where they may be.
    pub(super) async fn prepare(&self, session: &Session) -> Result<(), Error> {
        for step in &self.steps {
            if let Step::Query(statement, parameters) = step {
                session.prepare(statement, parameters).await?;
            }
        }
        Ok(())
    }

    /// Sends all steps, and returns the rows of each statement.
    pub(super) async fn run(self, session: &Session) -> Result<Vec<Vec<Row>>, Error> {
        let steps = self.with_ends(session.is_direct());
        let steps = steps.into_iter();
        let mut answers: Vec<_> = steps.map(|step| send(session, step)).collect();
        let mut rows: Vec<Option<_>> = answers.iter().map(|_| None).collect();
        // In their order: the first poll of each sends it, and the first failure explains the rest.
        poll_fn(|context| {
            let mut is_done = true;
            for (answer, rows) in answers.iter_mut().zip(&mut rows) {
                if rows.is_some() {
                    continue;
                }
                match answer.as_mut().poll(context) {
                    Poll::Ready(Ok(found)) => *rows = Some(found),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => is_done = false,
                }
            }
            if is_done {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// The steps between what begins a transaction and what ends it.
    fn with_ends(self, is_direct: bool) -> Vec<Step<'a>> {
        // One statement alone is a transaction anyway.
        if is_direct && self.begins && self.commits && self.steps.len() == 1 {
            return self.steps;
        }
        let begin = if is_direct {
            "BEGIN"
        } else {
            BEGIN_WITH_SETTINGS
        };
        let begin = self.begins.then_some(Step::Command(begin));
        let commit = self.commits.then_some(Step::Command("COMMIT"));
        begin.into_iter().chain(self.steps).chain(commit).collect()
    }
}

fn send<'a>(session: &'a Session, step: Step<'a>) -> Answer<'a> {
    Box::pin(async move {
        match step {
            Step::Query(statement, parameters) => {
                session.query(statement, parameters).await.map(Some)
            }
            Step::Command(command) => session.command(command).await.map(|()| None),
        }
    })
}
