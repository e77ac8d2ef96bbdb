use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::sleep;
use tower_wx_session::sessions::Issued;
use tower_wx_session::store::SessionStore;
use tower_wx_session::{Rejection, Sessions};

use super::PATIENCE;
use super::operation::Operation;
use super::turn::Turn;
use crate::user::identity;

/// How far ahead of a use a node writes the session's deadline: a tenth of the idle timeout.
pub(crate) const SLACK: Duration = Duration::from_secs(12 * 60);

/// More than the clock of a node and that of its store are apart.
const CLOCKS_APART: Duration = Duration::from_millis(5);

/// Logins at the same time where they are not measured.
const AT_ONCE: usize = 50;

/// Users of a node, whose sessions are in a store.
pub(crate) struct Users<S> {
    store: S,
    node: Sessions<S>,
    /// Of one more session, which warms nodes up.
    spare: String,
    /// Sessions that stay. Once they were used on that node, no other owes the store a use of them.
    staying: Arc<[Issued]>,
    /// How many users have logged in.
    known: usize,
}

impl<S: SessionStore + Clone> Users<S> {
    /// The first user, and keys for the tokens of all.
    pub(crate) async fn first(store: S) -> Result<Self, Rejection> {
        let node = node(&store);
        let spare = node.issue(identity(0)).await?.token().expose().to_owned();
        Ok(Self {
            store,
            node,
            spare,
            staying: Arc::default(),
            known: 1,
        })
    }

    /// Has so many more log in, who stay.
    pub(crate) async fn log_in(&mut self, staying: usize) -> Result<(), Rejection> {
        self.staying = self.newcomers(staying).await?;
        Ok(())
    }

    /// Makes ready all that it takes.
    pub(crate) async fn prepare(
        &mut self,
        operation: Operation,
        times: usize,
    ) -> Result<Arc<Turn<S>>, Box<dyn Error>> {
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
        // The node's clock may be ahead of the store's: a use is later than the login by both.
        sleep(CLOCKS_APART).await;
        Ok(Arc::new(Turn {
            operation,
            store: self.store.clone(),
            node,
            sessions,
            newcomer,
            now: self.store.now().await?,
        }))
    }

    /// A node that knows no session but the spare one.
    async fn another_node(&self) -> Result<Sessions<S>, Rejection> {
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
    pub(crate) async fn use_all(&self) -> Result<(), Rejection> {
        for issued in &*self.staying {
            self.node.check(issued.token().expose()).await?;
        }
        self.node.flush().await
    }
}

/// A node with the default settings, but that it is patient.
pub(crate) fn node<S: SessionStore + Clone>(store: &S) -> Sessions<S> {
    let builder = Sessions::builder(store.clone()).store_deadline(PATIENCE);
    builder.build().expect("settings that are not zero")
}
