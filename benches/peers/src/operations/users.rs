use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tower_wx_session::sessions::Issued;
use tower_wx_session::store::{RedisStore, SessionStore};
use tower_wx_session::{Rejection, Sessions};

use super::burst::{Burst, Spent};
use super::operation::Operation;
use super::turn::Turn;
use super::{PATIENCE, info};
use crate::redis_server::RedisServer;
use crate::user::identity;

/// How far ahead of a use a node writes the session's deadline: a tenth of the idle timeout.
pub(crate) const SLACK: Duration = Duration::from_secs(12 * 60);

/// Sessions that stay.
const STAYING: usize = 20_000;

/// Logins at the same time where they are not measured.
const AT_ONCE: usize = 50;

/// Users of a node, whose sessions are in a server.
pub(crate) struct Users {
    store: RedisStore,
    node: Sessions<RedisStore>,
    /// Of one more session, which warms nodes up.
    spare: String,
    /// Sessions that stay, used on that node a moment ago: no other owes the store a use of them.
    staying: Arc<[Issued]>,
    /// How many users have logged in.
    known: usize,
    /// What the server needs for a session, its place in the user's index included.
    pub(crate) bytes_each: usize,
}

impl Users {
    pub(crate) async fn log_in(server: &RedisServer) -> Result<Self, Box<dyn Error>> {
        let store = RedisStore::builder(&server.url()).build()?;
        let node = node(&store);
        // The first one alone, so that there are keys for the tokens of the others.
        let spare = node.issue(identity(0)).await?.token().expose().to_owned();
        let mut users = Self {
            store,
            node,
            spare,
            staying: Arc::default(),
            known: 1,
            bytes_each: 0,
        };
        let before = info::memory(server).await?;
        users.staying = users.newcomers(STAYING).await?;
        users.bytes_each = (info::memory(server).await? - before) / STAYING;
        users.use_all().await?;
        Ok(users)
    }

    /// Does that to so many sessions, each of another user.
    pub(crate) async fn spend(
        &mut self,
        operation: Operation,
        burst: Burst<'_>,
    ) -> Result<Spent, Box<dyn Error>> {
        let turn = Arc::new(self.prepare(operation, burst.times).await?);
        let act = move |number| Arc::clone(&turn).act(number);
        Ok(burst.of(act).await?)
    }

    /// Makes ready all that it takes.
    async fn prepare(
        &mut self,
        operation: Operation,
        times: usize,
    ) -> Result<Turn, Box<dyn Error>> {
        let newcomer = self.known;
        let mut node = self.node.clone();
        let sessions = match operation {
            Operation::Load => Arc::clone(&self.staying),
            Operation::Check => {
                node = self.another_node().await?;
                Arc::clone(&self.staying)
            }
            Operation::Login => {
                self.known += times;
                Arc::default()
            }
            Operation::Use | Operation::Rotation | Operation::Logout => {
                self.newcomers(times).await?
            }
        };
        Ok(Turn {
            operation,
            store: self.store.clone(),
            node,
            sessions,
            newcomer,
            now: self.store.now().await?,
        })
    }

    /// A node that knows no session but the spare one.
    async fn another_node(&self) -> Result<Sessions<RedisStore>, Rejection> {
        let node = node(&self.store);
        node.check(&self.spare).await?;
        Ok(node)
    }

    async fn newcomers(&mut self, many: usize) -> Result<Arc<[Issued]>, Rejection> {
        let mut issued = Vec::with_capacity(many);
        let end = self.known + many;
        while self.known < end {
            let some = self.known..end.min(self.known + AT_ONCE);
            self.known = some.end;
            let logins = some.map(|user| self.node.issue(identity(user)));
            issued.append(&mut try_join_all(logins).await?);
        }
        Ok(issued.into())
    }

    /// Uses all that stay, and has the store told.
    async fn use_all(&self) -> Result<(), Rejection> {
        for issued in &*self.staying {
            self.node.check(issued.token().expose()).await?;
        }
        self.node.flush().await
    }
}

/// A node with the default settings, but that it is patient.
fn node(store: &RedisStore) -> Sessions<RedisStore> {
    let builder = Sessions::builder(store.clone()).store_deadline(PATIENCE);
    builder.build().expect("settings that are not zero")
}
