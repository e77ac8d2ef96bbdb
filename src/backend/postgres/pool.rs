use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use tokio_postgres::{Error, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::columns::Time;
use super::connection::{Parameter, drive};
use super::fault::{failed, is_missing_table, is_outdated, leaves_connection};
use super::pipeline::Pipeline;
use super::primary::Primary;
use super::session::Session;
use super::settings::Settings;
use crate::store::StoreError;
use crate::sync::Lock;
use crate::time::Timestamp;

/// The longest that the tables take to be looked for, and made.
const PREPARED_WITHIN: Duration = Duration::from_secs(15);
/// How long a connection that was given up is waited for before its statement is cancelled.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// The longest that a server takes to cancel a statement.
const CANCELLED_WITHIN: Duration = Duration::from_secs(1);

/// Connections to the primary, each for one transaction at a time.
///
/// There are never more of them than places: one that is given up in the middle of a transaction keeps
/// its place until the server has answered, or is found gone, and is used again then. So neither a server that
/// is slow, nor somebody's lock on a table, fills the server with connections that wait. A server that does not
/// even cancel a statement hangs, and another one may be the primary by then: the place is free.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    primary: Arc<Primary>,
    places: Arc<Semaphore>,
    /// One more for what must not wait behind all the others.
    reserved: Arc<Semaphore>,
    idle: Lock<Vec<Arc<Session>>>,
}

/// A connection that somebody has to himself.
pub(super) struct Lease {
    pool: Pool,
    session: Arc<Session>,
    permit: Option<OwnedSemaphorePermit>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Nothing is under way.
    Free,
    /// All that was wanted is sent.
    Answering,
    /// A transaction is under way whose end was not sent.
    Open,
    /// The connection has failed, or leads to a server that is of no use.
    Lost,
}

impl Pool {
    pub(super) fn new(primary: Arc<Primary>, places: usize) -> Self {
        Self(Arc::new(Inner {
            primary,
            places: Arc::new(Semaphore::new(places)),
            reserved: Arc::new(Semaphore::new(1)),
            idle: Lock::default(),
        }))
    }

    /// A connection, as soon as there is one to spare.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        self.lease_of(&self.0.places).await
    }

    /// The same, for a link's heartbeat.
    pub(super) async fn lease_reserved(&self) -> Result<Lease, StoreError> {
        self.lease_of(&self.0.reserved).await
    }

    async fn lease_of(&self, places: &Arc<Semaphore>) -> Result<Lease, StoreError> {
        let places = Arc::clone(places);
        let permit = places.acquire_owned().await;
        let permit = permit.map_err(StoreError::unavailable)?;
        if let Some(idle) = self.take_idle() {
            return Ok(self.lend(idle, permit));
        }
        // A task of its own: connecting may take longer than the caller has, and the next one finds the
        // connection. If nobody waits any longer it comes back here with the lease.
        let (sender, opened) = oneshot::channel();
        let pool = self.clone();
        tokio::spawn(async move {
            let _ = sender.send(pool.open(permit).await);
        });
        opened.await.map_err(StoreError::unavailable)?
    }

    async fn open(&self, permit: OwnedSemaphorePermit) -> Result<Lease, StoreError> {
        let primary = &self.0.primary;
        let (client, wire) = primary.connect(&primary.settings.servers).await?;
        tokio::spawn(drive(wire));
        let preparing = async {
            primary.prepare(&client).await?;
            Session::on(client).await.map_err(|error| failed(&error))
        };
        let session = timeout(PREPARED_WITHIN, preparing).await;
        let servers = &primary.settings.servers;
        let session = session.map_err(|_| Settings::no_answer(servers))??;
        Ok(self.lend(Arc::new(session), permit))
    }

    fn lend(&self, session: Arc<Session>, permit: OwnedSemaphorePermit) -> Lease {
        Lease {
            pool: self.clone(),
            session,
            permit: Some(permit),
            state: State::Free,
        }
    }

    /// The one that was used last. Those that were lost meanwhile are forgotten.
    fn take_idle(&self) -> Option<Arc<Session>> {
        let mut idle = self.0.idle.lock();
        idle.retain(|session| !session.is_closed());
        idle.pop()
    }
}

impl Lease {
    /// The rows of one statement that only reads. The first column is the server's time, unless it is a
    /// standby: a pooler may have changed the server.
    pub(super) async fn read(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<(Timestamp, Vec<Row>), StoreError> {
        let one = Pipeline::default().then(statement, parameters);
        let rows = self.run(one).await.map_err(|error| failed(&error))?;
        let rows = rows.into_iter().next().unwrap_or_default();
        let now = rows.first().and_then(|row| row.try_get::<_, Time>(0).ok());
        now.map(|now| (now.0, rows)).ok_or_else(|| {
            self.state = State::Lost;
            StoreError::unavailable("the server has become a standby")
        })
    }

    /// A transaction, all of it in one round trip, or the end of one that has begun: the rows of each
    /// statement.
    pub(super) async fn run(&mut self, all: Pipeline<'_>) -> Result<Vec<Vec<Row>>, Error> {
        if !matches!(self.state, State::Open) {
            self.state = State::Answering;
        }
        self.prepare(&all).await?;
        self.state = State::Answering;
        let rows = all.run(&self.session).await;
        match &rows {
            Ok(_) => self.state = State::Free,
            Err(error) => self.failed(error, State::Answering),
        }
        rows
    }

    /// The first half of a transaction, which [`run`](Self::run) ends.
    pub(super) async fn begin(&mut self, half: Pipeline<'_>) -> Result<Vec<Vec<Row>>, Error> {
        self.state = State::Open;
        self.prepare(&half).await?;
        let rows = half.run(&self.session).await;
        rows.inspect_err(|error| self.failed(error, State::Open))
    }

    async fn prepare(&mut self, steps: &Pipeline<'_>) -> Result<(), Error> {
        let (prepared, state) = (steps.prepare(&self.session).await, self.state);
        prepared.inspect_err(|error| self.failed(error, state))
    }

    /// What comes behind an answer that is an error may still be on its way.
    fn failed(&mut self, error: &Error, state: State) {
        if is_missing_table(error) {
            self.pool.0.primary.forget_schema();
        }
        if is_outdated(error) {
            // So it is on the others.
            self.pool.0.idle.lock().clear();
        }
        let is_of_no_use = is_missing_table(error) || is_outdated(error);
        let is_as_good = leaves_connection(error) && !is_of_no_use;
        self.state = if is_as_good { state } else { State::Lost };
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let session = Arc::clone(&self.session);
        let last_word = match self.state {
            // Before the permit goes with the lease, so that whoever gets it finds the connection.
            State::Free => return self.pool.0.idle.lock().push(session),
            State::Lost => return,
            State::Answering => "",
            State::Open => "ROLLBACK",
        };
        let (pool, permit) = (Arc::downgrade(&self.pool.0), self.permit.take());
        // Without a runtime the connection is closed.
        if let Ok(runtime) = Handle::try_current() {
            let tls = self.pool.0.primary.settings.tls.clone();
            runtime.spawn(async move {
                let is_answered = is_answered(&session, last_word, tls).await;
                if let Some(pool) = pool.upgrade() {
                    let mut idle = pool.idle.lock();
                    match is_answered {
                        true => idle.push(session),
                        // Those to the same server are of no more use.
                        false => idle.clear(),
                    }
                }
                drop(permit);
            });
        }
    }
}

/// Waits for the answer to all that was asked on a connection that was given up; whether it is as good as
/// before.
async fn is_answered(session: &Session, last_word: &str, tls: MakeRustlsConnect) -> bool {
    let mut answer = pin!(session.command(last_word));
    if let Ok(answer) = timeout(ANSWERED_WITHIN, &mut answer).await {
        return answer.is_ok();
    }
    let token = session.cancel_token();
    let cancelled = async { token.cancel_query(tls).await.is_ok() && answer.await.is_ok() };
    let _ = timeout(CANCELLED_WITHIN, cancelled).await;
    // A cancellation that comes late must not meet what somebody asks next.
    false
}
