//! Logins and rotations while a slot of a Cluster moves, against everything that can happen between two
//! of their steps.
//!
//! In each race all keys of a user are at the old place and the slot is on its way: what takes existing
//! keys only is done there in one script, and what takes a new one is done in steps, and so is all that
//! comes after it.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_wx_session::store::{
    Inserted, Loaded, RedisStore, Retire, Rotate, Rotated, SessionStore, Target,
};
use tower_wx_session::{Identity, SessionId};

use super::records::{SECOND, id, keep, logout, new_session};
use super::rights::{CLUSTER, EVERY_STORE, as_node, grant, rules};
use super::slot::slot_of;
use crate::support::redis::{Client, RedisCluster, store};

const RACES: u32 = 200;

struct Race {
    _cluster: RedisCluster,
    stores: [RedisStore; 2],
    clients: Vec<Client>,
    names: Vec<String>,
    users: Vec<Identity>,
}

/// Users of a slot each.
fn users() -> Vec<Identity> {
    let mut slots = HashSet::new();
    let users = (0..).map(|number: u32| Identity::new("appid", number.to_string()));
    let alone = users.filter(|user| slots.insert(slot_of(user.bucket())));
    alone.take(RACES as usize).collect()
}

impl Race {
    /// The stores have the rights that are documented, and no others.
    async fn begin() -> Self {
        let cluster = RedisCluster::start().await;
        let rights = rules(&[EVERY_STORE, CLUSTER]);
        let (mut clients, mut names) = (Vec::new(), Vec::new());
        for server in &cluster.servers {
            let client = server.client().await;
            grant(&client, &rights).await;
            names.push(client.ask(&["CLUSTER", "MYID"]).await);
            clients.push(client);
        }
        Self {
            stores: [(); 2].map(|()| store(&as_node(&cluster.url()))),
            _cluster: cluster,
            clients,
            names,
            users: users(),
        }
    }

    /// A user with sessions 1 to `sessions`, whose slot begins to move then.
    async fn user(&self, number: u32, sessions: u8) -> Identity {
        let user = self.users[number as usize].clone();
        for session in 1..=sessions {
            keep(&self.stores[0], &user, session).await;
        }
        let slot = slot_of(user.bucket());
        let from = usize::from(slot / 5461).min(2);
        let to = (from + 1) % 3;
        for (at, state, of) in [(to, "IMPORTING", from), (from, "MIGRATING", to)] {
            let slot = slot.to_string();
            let words = ["CLUSTER", "SETSLOT", &slot, state, &self.names[of]];
            let () = self.clients[at].ask(&words).await;
        }
        user
    }

    /// Which of these sessions of a user are live, and have no successor.
    async fn current(&self, user: &Identity, sessions: &[u8]) -> Vec<u8> {
        let mut current = Vec::new();
        for session in sessions {
            let loaded = self.stores[0].load(id(user, *session)).await.unwrap();
            if matches!(loaded, Loaded::Live(record) if !record.is_retired()) {
                current.push(*session);
            }
        }
        current
    }

    async fn is_live(&self, session: SessionId) -> bool {
        let loaded = self.stores[0].load(session).await.unwrap();
        matches!(loaded, Loaded::Live(_))
    }
}

/// A little later, another time in each race: a step takes some 200 µs.
async fn later(number: u32) {
    sleep(Duration::from_micros(u64::from(number * 7919 % 2000))).await;
}

fn rotate(user: &Identity, old: u8, new: u8) -> Rotate {
    Rotate::new(id(user, old), id(user, new), SECOND * 60)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_in_steps_against_an_end_of_all_sessions() {
    let race = Race::begin().await;
    let [here, there] = &race.stores;
    let mut rotations = 0;
    for number in 0..RACES {
        let user = race.user(number, 2).await;
        let target = match number % 3 {
            0 => Target::Session(id(&user, 1)),
            1 => Target::User(user.clone()),
            _ => Target::Others {
                user: user.clone(),
                keep: id(&user, 2),
            },
        };
        let end = async {
            later(number).await;
            there.revoke(logout(target.clone())).await.unwrap()
        };
        let (rotated, _) = tokio::join!(here.rotate(rotate(&user, 1, 3)), end);
        let is_rotated = matches!(rotated.unwrap(), Rotated::Done(_));
        rotations += u32::from(is_rotated);
        for session in [1, 3] {
            let is_live = race.is_live(id(&user, session)).await;
            assert!(
                !is_live,
                "race {number}, {target:?}: {session}, rotated {is_rotated}"
            );
        }
        let is_spared = !matches!(target, Target::User(_));
        assert_eq!(race.is_live(id(&user, 2)).await, is_spared, "race {number}");
    }
    assert!(
        rotations > 10 && rotations < RACES - 10,
        "{rotations} of {RACES}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_the_others_against_a_rotation_of_the_one_that_stays() {
    let race = Race::begin().await;
    let [here, there] = &race.stores;
    for number in 0..RACES {
        let user = race.user(number, 2).await;
        // So that the end is done in steps, too.
        let (insert, _) = new_session(here, &user, 4).await;
        here.insert(insert).await.unwrap();
        let others = Target::Others {
            user: user.clone(),
            keep: id(&user, 2),
        };
        let end = async {
            later(number).await;
            there.revoke(logout(others)).await.unwrap()
        };
        let (rotated, mut ended) = tokio::join!(here.rotate(rotate(&user, 2, 3)), end);
        assert!(
            matches!(rotated.unwrap(), Rotated::Done(_)),
            "race {number}"
        );
        ended.sort_unstable();
        assert_eq!(ended, [id(&user, 1), id(&user, 4)], "race {number}");
        assert_eq!(race.current(&user, &[1, 2, 3, 4]).await, [3]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_in_steps_at_once_keep_to_the_cap() {
    let race = Race::begin().await;
    for number in 0..RACES / 2 {
        let user = race.user(number, 2).await;
        let log_in = async |store: &RedisStore, session| {
            let (mut insert, _) = new_session(store, &user, session).await;
            insert.cap = Some(2);
            later(number * u32::from(session)).await;
            store.insert(insert).await.unwrap()
        };
        let [here, there] = &race.stores;
        let (one, two) = tokio::join!(log_in(here, 3), log_in(there, 4));
        for login in [one, two] {
            assert!(
                matches!(login, Inserted::Kept(_)),
                "race {number}: {login:?}"
            );
        }
        assert_eq!(race.current(&user, &[1, 2, 3, 4]).await, [3, 4]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_in_steps_against_a_rotation_keeps_to_the_cap() {
    let race = Race::begin().await;
    let [here, there] = &race.stores;
    for number in 0..RACES {
        let user = race.user(number, 2).await;
        let (mut insert, _) = new_session(here, &user, 4).await;
        insert.cap = Some(2);
        let log_in = async {
            later(number).await;
            here.insert(insert).await.unwrap()
        };
        let (kept, rotated) = tokio::join!(log_in, there.rotate(rotate(&user, 2, 3)));
        assert!(
            matches!(rotated.unwrap(), Rotated::Done(_)),
            "race {number}"
        );
        assert_eq!(kept, Inserted::Kept(vec![id(&user, 1)]), "race {number}");
        assert_eq!(race.current(&user, &[1, 2, 3, 4]).await, [3, 4]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rotations_in_steps_of_one_session_one_lasts() {
    let race = Race::begin().await;
    let [here, there] = &race.stores;
    let mut both = 0;
    for number in 0..RACES {
        let user = race.user(number, 1).await;
        let second = async {
            later(number).await;
            there.rotate(rotate(&user, 1, 3)).await.unwrap()
        };
        let (one, two) = tokio::join!(here.rotate(rotate(&user, 1, 2)), second);
        let done = [one.unwrap(), two].map(|one| matches!(one, Rotated::Done(_)));
        assert_ne!(done, [false; 2], "race {number}");
        both += u32::from(done == [true; 2]);
        let current = race.current(&user, &[1, 2, 3]).await;
        assert_eq!(
            current.len(),
            1,
            "race {number}: {current:?}, done {done:?}"
        );
        let lasts = usize::from(current[0] - 2);
        assert!(
            done[lasts],
            "race {number}: nobody has the token that is good"
        );
    }
    assert!(both > 10, "a token that nobody has used makes room: {both}");
}

/// A client that gets no answer has its session rotated again, and that may be cut off, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_in_steps_that_is_cut_off_anywhere_can_be_repeated() {
    let race = Race::begin().await;
    let [here, there] = &race.stores;
    let mut cut_off = 0;
    for number in 0..RACES {
        let user = race.user(number, 1).await;
        here.rotate(rotate(&user, 1, 2)).await.unwrap();
        let patience = Duration::from_micros(u64::from(number * 7919 % 4000));
        let second = timeout(patience, here.rotate(rotate(&user, 1, 3))).await;
        cut_off += u32::from(second.is_err());
        let third = there.rotate(rotate(&user, 1, 4)).await.unwrap();
        assert!(
            matches!(third, Rotated::Done(_)),
            "race {number}, cut off after {patience:?}: {third:?}"
        );
        // Nobody has the third token.
        assert_eq!(race.current(&user, &[1, 2, 4]).await, [4]);
    }
    assert!(cut_off > RACES / 4, "{cut_off} of {RACES}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_in_steps_retires_the_token_that_it_was_sent_with() {
    let race = Race::begin().await;
    let store = &race.stores[0];
    let user = race.user(0, 2).await;
    let (mut insert, _) = new_session(store, &user, 3).await;
    insert.retire = Some(Retire::new(id(&user, 1), SECOND * 60));
    assert_eq!(
        store.insert(insert.clone()).await.unwrap(),
        Inserted::Kept(vec![])
    );
    assert_eq!(race.current(&user, &[1, 2, 3]).await, [2, 3]);
    assert!(race.is_live(id(&user, 1)).await, "its grace");
    assert_eq!(store.insert(insert).await.unwrap(), Inserted::Taken);
    // Another user's is left alone, and so is one that is retired already.
    let other = race.user(1, 1).await;
    let (mut insert, _) = new_session(store, &user, 4).await;
    insert.retire = Some(Retire::new(id(&other, 1), SECOND));
    store.insert(insert).await.unwrap();
    assert_eq!(race.current(&other, &[1]).await, [1]);
    // What took the place of a session has its own login.
    let rotated = store.rotate(rotate(&user, 1, 5)).await.unwrap();
    assert!(matches!(rotated, Rotated::Ended(_)), "{rotated:?}");
    assert_eq!(race.current(&user, &[1, 2, 3, 4, 5]).await, [2, 3, 4]);
}
