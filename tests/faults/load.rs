//! Load from clients that know their sessions, and from clients that no node has seen yet.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::fleet::Fleet;
use super::scenario::Dice;

/// Between two requests of one client: two cores have to do for all.
const PAUSE: Duration = Duration::from_millis(8);

/// Clients that go on asking until they are stopped.
pub struct Load {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// So many clients per node ask for any of the sessions.
    pub fn on(
        fleet: &Arc<Fleet>,
        nodes: &[usize],
        sessions: Range<usize>,
        clients: u64,
        dice: Dice,
    ) -> Self {
        let mut load = Self::none();
        for node in nodes {
            for client in 0..clients {
                let mut dice = dice.split(*node as u64 * 1000 + client);
                let (node, sessions) = (*node, sessions.clone());
                load.spawn(fleet, node, move || {
                    sessions.start + dice.below(sessions.len())
                });
            }
        }
        load
    }

    /// So many clients ask for one session after the other, each of them once.
    pub fn once_each(
        fleet: &Arc<Fleet>,
        node: usize,
        sessions: Range<usize>,
        clients: u64,
    ) -> Self {
        let mut load = Self::none();
        let next = Arc::new(AtomicUsize::new(sessions.start));
        for _ in 0..clients {
            let (next, fleet, stop) =
                (Arc::clone(&next), Arc::clone(fleet), Arc::clone(&load.stop));
            let end = sessions.end;
            load.clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let session = next.fetch_add(1, Ordering::Relaxed);
                    if session >= end {
                        return;
                    }
                    fleet.ask(node, session).await;
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        load
    }

    fn none() -> Self {
        Self {
            clients: JoinSet::new(),
            stop: Arc::default(),
        }
    }

    fn spawn(
        &mut self,
        fleet: &Arc<Fleet>,
        node: usize,
        mut pick: impl FnMut() -> usize + Send + 'static,
    ) {
        let (fleet, stop) = (Arc::clone(fleet), Arc::clone(&self.stop));
        self.clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                fleet.ask(node, pick()).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
    }
}
