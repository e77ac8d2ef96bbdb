use std::error::Error;

use futures_util::future::LocalBoxFuture;
use tower_sessions_0_14::SessionStore as PeerStore;
use tower_wx_session::store::AnyStore;

use super::database::Database;
use super::peer::PeersUsers;
use crate::operations::burst::{Burst, Spent};
use crate::operations::operation::Operation;
use crate::operations::users::Users;

/// A store in one of the databases, with users in it.
pub(crate) struct Candidate {
    pub(crate) name: String,
    users: Box<dyn Spend>,
}

impl Candidate {
    /// Does that to so many sessions, each of another user.
    pub(crate) async fn spend(
        &mut self,
        operation: Operation,
        burst: Burst,
    ) -> Result<Spent, Box<dyn Error>> {
        self.users.spend(operation, burst).await
    }
}

/// Ours first, then the peer with each of its pools; so many of the sessions stay.
pub(crate) async fn candidates<D: Database>(
    database: &D,
    staying: usize,
) -> Result<Vec<Candidate>, Box<dyn Error>> {
    let mut users = Users::first(D::ours(&database.make("ours").await?).await?).await?;
    users.log_in(staying).await?;
    users.use_all().await?;
    let mut candidates = vec![Candidate {
        name: "ours".to_owned(),
        users: Box::new(users),
    }];
    for &connections in D::POOLS {
        let address = database.make(&format!("peer_{connections}")).await?;
        let peer = D::peer(&address, connections).await?;
        candidates.push(Candidate {
            name: format!("peer, {connections} connections"),
            users: Box::new(PeersUsers::log_in(peer, staying).await?),
        });
    }
    Ok(candidates)
}

/// What can be done to sessions of users, whatever the store.
trait Spend {
    fn spend(
        &mut self,
        operation: Operation,
        burst: Burst,
    ) -> LocalBoxFuture<'_, Result<Spent, Box<dyn Error>>>;
}

impl Spend for Users<AnyStore> {
    fn spend(
        &mut self,
        operation: Operation,
        burst: Burst,
    ) -> LocalBoxFuture<'_, Result<Spent, Box<dyn Error>>> {
        Box::pin(async move {
            let turn = self.prepare(operation, burst.times).await?;
            turn.spend(burst).await
        })
    }
}

impl<T: PeerStore + Clone> Spend for PeersUsers<T> {
    fn spend(
        &mut self,
        operation: Operation,
        burst: Burst,
    ) -> LocalBoxFuture<'_, Result<Spent, Box<dyn Error>>> {
        Box::pin(self.spend(operation, burst))
    }
}
