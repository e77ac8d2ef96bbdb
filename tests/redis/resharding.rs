//! What ends of sessions come to while a slot of a Cluster moves from one master to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_wx_session::sessions::Revocation;
use tower_wx_session::store::{Loaded, RedisStore, RevokeReason, SessionStore};
use tower_wx_session::{Identity, RejectionKind, SessionId, Sessions};

use super::slot::{Reshard, is_index, users_of_one_slot};
use crate::support::nodes::node_in_real_time;
use crate::support::redis::{RedisCluster, RedisServer, eventually};

/// Sessions that each user starts with.
const EACH: usize = 3;

type Node = Sessions<RedisStore>;

/// A user, and the tokens that the user's clients hold.
struct User {
    identity: Identity,
    tokens: Vec<String>,
    ids: Vec<SessionId>,
}

impl User {
    async fn log_in(node: &Node, identity: Identity) -> Self {
        let mut user = Self {
            identity,
            tokens: Vec::new(),
            ids: Vec::new(),
        };
        for _ in 0..EACH {
            assert!(user.log_in_again(node).await);
        }
        user
    }

    async fn log_in_again(&mut self, node: &Node) -> bool {
        let issued = node.issue(self.identity.clone()).await;
        if let Ok(issued) = &issued {
            self.tokens.push(issued.token().expose().to_owned());
            self.ids.push(issued.session().id());
        }
        issued.is_ok()
    }

    /// Sessions that the store calls live, as far as anybody has their token.
    async fn live(&self, store: &RedisStore) -> usize {
        let mut live = 0;
        for id in &self.ids {
            live += usize::from(matches!(store.load(*id).await, Ok(Loaded::Live(_))));
        }
        live
    }

    /// Checks that were refused although the store knows better.
    async fn refused(&self, node: &Node) -> usize {
        let mut refused = 0;
        for token in &self.tokens {
            let kind = node
                .check(token)
                .await
                .err()
                .map(|rejection| rejection.kind());
            assert!(
                matches!(
                    kind,
                    None | Some(RejectionKind::StoreUnavailable | RejectionKind::SessionUnknown)
                ),
                "{kind:?}"
            );
            refused += usize::from(kind == Some(RejectionKind::SessionUnknown));
        }
        refused
    }
}

/// What a trial came to; all but the first two have to be 0.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    done: usize,
    pending: usize,
    /// Ends that were answered as done, and left a live session.
    untrue: usize,
    /// Ends that were answered as pending, and never came.
    forgotten: usize,
    /// Users of whom a session was lost from the list, or cannot be ended any more.
    out_of_reach: usize,
    /// Live sessions that were called unknown.
    refused: usize,
    /// Logins and rotations that were not done.
    failed: usize,
}

impl Outcome {
    #[track_caller]
    fn is_good(&self) {
        let good = Self {
            done: self.done,
            pending: self.pending,
            ..Self::default()
        };
        assert_eq!(*self, good);
    }

    fn ended(&mut self, revocation: Revocation, live: usize) {
        match revocation {
            Revocation::Done(_) => {
                self.done += 1;
                self.untrue += usize::from(live > 0);
            }
            Revocation::Pending => self.pending += 1,
        }
    }
}

struct Trial {
    cluster: RedisCluster,
    nodes: [Node; 2],
    store: RedisStore,
    slot: u16,
    users: Vec<User>,
}

impl Trial {
    async fn new(users: usize) -> Self {
        let cluster = RedisCluster::start().await;
        let nodes = [cluster.store(), cluster.store()].map(node_in_real_time);
        let (slot, identities) = users_of_one_slot(users);
        let mut users = Vec::new();
        for identity in identities {
            users.push(User::log_in(&nodes[0], identity).await);
        }
        Self {
            store: cluster.store(),
            cluster,
            nodes,
            slot,
            users,
        }
    }
}

/// Everybody of `users` logs out everywhere at the same time.
async fn all_log_out(
    node: &Node,
    store: &RedisStore,
    users: Vec<User>,
    outcome: &mut Outcome,
) -> Vec<User> {
    let mut ends = JoinSet::new();
    for user in users {
        let (node, store) = (node.clone(), store.clone());
        ends.spawn(async move {
            let revocation = node.revoke_user(&user.identity).await.unwrap();
            let live = match revocation {
                Revocation::Done(_) => user.live(&store).await,
                Revocation::Pending => 0,
            };
            (user, revocation, live)
        });
    }
    let mut users = Vec::new();
    while let Some(end) = ends.join_next().await {
        let (user, revocation, live) = end.unwrap();
        outcome.ended(revocation, live);
        users.push(user);
    }
    users
}

/// All of these users' sessions end by themselves soon.
async fn all_are_out(store: &RedisStore, users: &[User], outcome: &mut Outcome) {
    for _ in 0..100 {
        outcome.forgotten = 0;
        for user in users {
            outcome.forgotten += usize::from(user.live(store).await > 0);
        }
        if outcome.forgotten == 0 {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// A move that was interrupted: only what `moves` has moved, for as long as the users do things.
async fn interrupted(moves: fn(&str) -> bool) -> Outcome {
    let mut trial = Trial::new(40).await;
    let reshard = Reshard::begin(&trial.cluster, trial.slot).await;
    for key in reshard.left().await {
        if moves(&key) {
            reshard.move_key(&key).await;
        }
    }

    let mut outcome = Outcome::default();
    let [here, there] = &trial.nodes;
    let mut stay = trial.users.split_off(20);
    let gone = all_log_out(here, &trial.store, trial.users, &mut outcome).await;
    let mut all = JoinSet::new();
    for (number, mut user) in stay.drain(..).enumerate() {
        let (here, there, store) = (here.clone(), there.clone(), trial.store.clone());
        all.spawn(async move {
            // Checks and lists may fail. None of it may do harm.
            let mut refused = user.refused(&there).await;
            let listed = here.list(&user.identity).await;
            refused += usize::from(listed.is_ok_and(|listed| listed.len() != EACH));
            let (mut end, mut is_done) = (None, true);
            match number % 4 {
                0 => is_done = user.log_in_again(&here).await,
                1 => {
                    let rotated = here.rotate(user.ids[0]).await;
                    is_done = rotated.is_ok();
                    if let Ok(rotated) = rotated {
                        user.ids.push(rotated.session().id());
                        user.tokens.push(rotated.token().expose().to_owned());
                    }
                }
                2 => {
                    let id = user.ids.remove(0);
                    user.tokens.remove(0);
                    let revocation = here.revoke(id, RevokeReason::LoggedOut).await.unwrap();
                    let live = matches!(store.load(id).await, Ok(Loaded::Live(_)));
                    end = Some((revocation, usize::from(live)));
                }
                _ => {}
            }
            (user, refused, end, is_done)
        });
    }
    while let Some(done) = all.join_next().await {
        let (user, refused, end, is_done) = done.unwrap();
        outcome.refused += refused;
        outcome.failed += usize::from(!is_done);
        if let Some((revocation, live)) = end {
            outcome.ended(revocation, live);
        }
        stay.push(user);
    }
    reshard.finish().await;
    all_are_out(&trial.store, &gone, &mut outcome).await;
    reach(&trial.nodes[1], &trial.store, stay, &mut outcome).await;
    outcome
}

/// Whoever stayed is known by all sessions, and can be logged out everywhere.
async fn reach(node: &Node, store: &RedisStore, users: Vec<User>, outcome: &mut Outcome) {
    for user in users {
        eventually("the list", async || node.list(&user.identity).await.is_ok()).await;
        let listed = node.list(&user.identity).await.unwrap().len();
        outcome.refused += user.refused(node).await;
        let revocation = node.revoke_user(&user.identity).await.unwrap();
        assert!(matches!(revocation, Revocation::Done(_)), "{revocation:?}");
        let is_whole = listed >= EACH - 1 && user.live(store).await == 0;
        outcome.out_of_reach += usize::from(!is_whole);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_move_that_began_with_the_indexes() {
    let outcome = interrupted(is_index).await;
    outcome.is_good();
    assert_eq!((outcome.done, outcome.pending), (25, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_move_that_began_with_the_sessions() {
    let outcome = interrupted(|key| !is_index(key)).await;
    outcome.is_good();
    assert_eq!((outcome.done, outcome.pending), (25, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_move_of_half_of_everything() {
    let is_odd = |key: &str| key.bytes().fold(0, |sum, byte| sum ^ byte) % 2 == 1;
    let outcome = interrupted(is_odd).await;
    outcome.is_good();
    assert_eq!((outcome.done, outcome.pending), (25, 0));
}

/// A move under load: users come, rotate and go while one key after the other moves.
async fn under_load(indexes_first: bool) -> Outcome {
    let mut trial = Trial::new(40).await;
    let [here, there] = trial.nodes.clone();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut busy = JoinSet::new();
    let stay = trial.users.split_off(30);
    for mut user in stay {
        let (here, there) = (here.clone(), there.clone());
        let is_over = Arc::clone(&is_over);
        busy.spawn(async move {
            let mut refused = 0;
            while !is_over.load(Ordering::Relaxed) {
                refused += user.refused(&there).await;
                let _ = there.list(&user.identity).await;
                if user.log_in_again(&here).await {
                    let (last, _) = (user.ids.pop(), user.tokens.pop());
                    let _ = there.rotate(last.unwrap()).await;
                }
                let newest = user.ids.len() - 1;
                if user.ids.len() > EACH {
                    user.tokens.remove(newest);
                    let _ = here
                        .revoke(user.ids.remove(newest), RevokeReason::LoggedOut)
                        .await;
                }
            }
            (user, refused)
        });
    }

    let reshard = Reshard::begin(&trial.cluster, trial.slot).await;
    let mut keys = reshard.left().await;
    keys.sort_by_key(|key| is_index(key) != indexes_first);
    let mut outcome = Outcome::default();
    let mut gone = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        // What has expired or was moved by somebody else is not there.
        reshard.move_key(key).await;
        sleep(Duration::from_millis(5)).await;
        if number % 20 == 10 && !trial.users.is_empty() {
            let rest = trial.users.split_off(5.min(trial.users.len()));
            gone.extend(all_log_out(&here, &trial.store, trial.users, &mut outcome).await);
            trial.users = rest;
        }
    }
    gone.extend(all_log_out(&here, &trial.store, trial.users, &mut outcome).await);
    reshard.finish().await;
    is_over.store(true, Ordering::Relaxed);
    let mut stay = Vec::new();
    while let Some(done) = busy.join_next().await {
        let (user, refused) = done.unwrap();
        outcome.refused += refused;
        stay.push(user);
    }
    all_are_out(&trial.store, &gone, &mut outcome).await;
    reach(&there, &trial.store, stay, &mut outcome).await;
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_under_load_that_begins_with_the_indexes() {
    under_load(true).await.is_good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_under_load_that_begins_with_the_sessions() {
    under_load(false).await.is_good();
}

/// The usual way to grow: no route leads to the new server before it has its first slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_over_its_first_slot_is_found() {
    let Trial {
        cluster,
        nodes: [node, _],
        store,
        slot,
        users,
    } = Trial::new(2).await;
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let newcomer = RedisServer::start_with(&arguments).await;
    let client = newcomer.client().await;
    let known = cluster.servers[0].port.to_string();
    let () = client.ask(&["CLUSTER", "MEET", "127.0.0.1", &known]).await;
    let name: String = client.ask(&["CLUSTER", "MYID"]).await;
    let from = &cluster.servers[usize::from(slot / 5461).min(2)];
    let owner = from.client().await;
    eventually("the newcomer to be known", async || {
        let nodes: String = owner.ask(&["CLUSTER", "NODES"]).await;
        let info: String = client.ask(&["CLUSTER", "INFO"]).await;
        nodes.contains(&name) && info.contains("cluster_state:ok")
    })
    .await;

    let (slot, port) = (slot.to_string(), newcomer.port.to_string());
    let owner_name: String = owner.ask(&["CLUSTER", "MYID"]).await;
    let importing = ["CLUSTER", "SETSLOT", &slot, "IMPORTING", &owner_name];
    let () = client.ask(&importing).await;
    let migrating = ["CLUSTER", "SETSLOT", &slot, "MIGRATING", &name];
    let () = owner.ask(&migrating).await;
    let keys: Vec<String> = owner.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await;
    for key in &keys {
        let _: String = owner
            .ask(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"])
            .await;
    }
    assert_eq!(users[0].live(&store).await, EACH);
    let revoked = node.revoke(users[0].ids[0], RevokeReason::LoggedOut).await;
    assert_eq!(revoked.unwrap(), Revocation::Done(1));
    // All that is there is together again, if not where the routes lead.
    let revoked = node.revoke_user(&users[0].identity).await;
    assert_eq!(revoked.unwrap(), Revocation::Done(EACH - 1));
    assert_eq!(users[0].live(&store).await, 0);
    assert_eq!(node.list(&users[1].identity).await.unwrap().len(), EACH);
}
