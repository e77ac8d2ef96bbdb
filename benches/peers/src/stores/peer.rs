use std::error::Error;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tower_sessions_0_14::cookie::time::{Duration, OffsetDateTime};
use tower_sessions_0_14::session::{Expiry, Id, Record};
use tower_sessions_0_14::session_store::Error as StoreError;
use tower_sessions_0_14::{Session, SessionStore};

use crate::operations::burst::{Burst, Spent};
use crate::operations::operation::Operation;
use crate::user::openid;

/// As long as an unused session of ours.
const IDLE: Duration = Duration::hours(2);
/// How far ahead of a use ours writes the session's deadline.
const SLACK: Duration = Duration::minutes(12);
/// Logins at the same time where they are not measured.
const AT_ONCE: usize = 50;
/// Under which name a session has its user.
const USER: &str = "user";

/// Users whose sessions are in a store of tower-sessions.
#[derive(Clone, Debug)]
pub(crate) struct PeersUsers<T> {
    store: T,
    /// Sessions that stay.
    staying: Arc<[Record]>,
    known: usize,
}

impl<T: SessionStore + Clone> PeersUsers<T> {
    /// Has so many log in, who stay.
    pub(crate) async fn log_in(store: T, staying: usize) -> Result<Self, StoreError> {
        let mut users = Self {
            store,
            staying: Arc::default(),
            known: 0,
        };
        users.staying = users.newcomers(staying).await?;
        Ok(users)
    }

    /// Does that to so many sessions, each of another user.
    pub(crate) async fn spend(
        &mut self,
        operation: Operation,
        burst: Burst,
    ) -> Result<Spent, Box<dyn Error>> {
        let newcomer = self.known;
        let sessions = match operation {
            Operation::Load | Operation::Check => Arc::clone(&self.staying),
            Operation::Login => {
                self.known += burst.times;
                Arc::default()
            }
            Operation::Use | Operation::Rotation | Operation::Logout => {
                self.newcomers(burst.times).await?
            }
        };
        let turn = Arc::new(Turn {
            operation,
            store: Arc::new(self.store.clone()),
            sessions,
            newcomer,
        });
        let act = move |number| Arc::clone(&turn).act(number);
        Ok(burst.of(act).await?)
    }

    async fn newcomers(&mut self, many: usize) -> Result<Arc<[Record]>, StoreError> {
        let mut records: Vec<_> = (self.known..self.known + many)
            .map(|user| record(user, OffsetDateTime::now_utc() + IDLE))
            .collect();
        self.known += many;
        for some in records.chunks_mut(AT_ONCE) {
            try_join_all(some.iter_mut().map(|record| self.store.create(record))).await?;
        }
        Ok(records.into())
    }
}

/// A session of a user that nobody has stored.
pub(crate) fn record(user: usize, expiry_date: OffsetDateTime) -> Record {
    let data = [(USER.to_owned(), openid(user).into())];
    Record {
        id: Id::default(),
        data: data.into_iter().collect(),
        expiry_date,
    }
}

/// One operation on many sessions, with all that it needs made ready.
struct Turn<T> {
    operation: Operation,
    store: Arc<T>,
    sessions: Arc<[Record]>,
    /// The first of the users who log in.
    newcomer: usize,
}

impl<T: SessionStore> Turn<T> {
    async fn act(self: Arc<Self>, number: usize) {
        let done = match self.operation {
            Operation::Load => self.load(number).await,
            Operation::Check => self.check(number).await,
            Operation::Login => self.log_in(self.newcomer + number).await,
            Operation::Use => self.tell_use(number).await,
            Operation::Rotation => self.rotate(number).await,
            Operation::Logout => self
                .store
                .delete(&self.sessions[number].id)
                .await
                .map_err(Into::into),
        };
        done.expect("the server is up");
    }

    fn session(&self, id: Option<Id>) -> Session {
        let expiry = Expiry::OnInactivity(IDLE);
        Session::new(id, Arc::clone(&self.store), Some(expiry))
    }

    async fn load(&self, number: usize) -> Result<(), Failure> {
        let loaded = self.store.load(&self.sessions[number].id).await?;
        assert!(loaded.is_some(), "it is live");
        Ok(())
    }

    /// What a handler asks for, behind its layer.
    async fn check(&self, number: usize) -> Result<(), Failure> {
        let session = self.session(Some(self.sessions[number].id));
        let user = session.get::<String>(USER).await?;
        assert!(user.is_some(), "it is live");
        Ok(())
    }

    /// What a use changes is when the session expires.
    async fn tell_use(&self, number: usize) -> Result<(), Failure> {
        let mut record = self.sessions[number].clone();
        record.expiry_date += SLACK;
        Ok(self.store.save(&record).await?)
    }

    async fn log_in(&self, user: usize) -> Result<(), Failure> {
        let session = self.session(None);
        session.insert(USER, openid(user)).await?;
        session.save().await
    }

    async fn rotate(&self, number: usize) -> Result<(), Failure> {
        let session = self.session(Some(self.sessions[number].id));
        session.cycle_id().await?;
        session.save().await
    }
}

type Failure = tower_sessions_0_14::session::Error;
