use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::{Client, Error, Row};

use super::connection::Parameter;

/// The steps of a transaction that are sent at once.
///
/// The server takes them one after the other. The first that fails is the failure of all: the server
/// refuses what comes behind it, and makes a rollback of the `COMMIT`.
#[derive(Default)]
pub(super) struct Pipeline<'a>(Vec<Step<'a>>);

/// A command has no parameters and no rows.
type Step<'a> = (&'a str, Option<&'a [Parameter<'a>]>);
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'a>>;

/// What a step needs that no other transaction may delay for long: whoever wanted it has given up by
/// then. A client that is gone in the middle leaves no lock for longer than that. A pooler may give the
/// connection to somebody else afterwards, so nothing outlives the transaction.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '2s'; \
    SET LOCAL lock_timeout = '1s'; SET LOCAL idle_in_transaction_session_timeout = '2s'";

impl<'a> Pipeline<'a> {
    /// The first steps of a transaction.
    pub(super) fn begin() -> Self {
        Self::default().command(BEGIN)
    }

    pub(super) fn then(mut self, statement: &'a str, parameters: &'a [Parameter<'a>]) -> Self {
        self.0.push((statement, Some(parameters)));
        self
    }

    pub(super) fn command(mut self, command: &'a str) -> Self {
        self.0.push((command, None));
        self
    }

    pub(super) fn commit(self) -> Self {
        self.command("COMMIT")
    }

    /// Sends all steps, and returns the rows of each.
    pub(super) async fn run(self, client: &Client) -> Result<Vec<Vec<Row>>, Error> {
        let mut answers: Vec<_> = self.0.into_iter().map(|step| send(client, step)).collect();
        let mut rows: Vec<Option<Vec<Row>>> = answers.iter().map(|_| None).collect();
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
        Ok(rows.into_iter().flatten().collect())
    }
}

fn send<'a>(client: &'a Client, (statement, parameters): Step<'a>) -> Answer<'a> {
    Box::pin(async move {
        match parameters {
            Some(parameters) => client.query_typed(statement, parameters).await,
            None => client.batch_execute(statement).await.map(|()| Vec::new()),
        }
    })
}
