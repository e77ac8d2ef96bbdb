//! A slot on its way from one master to another.

use std::sync::LazyLock;

use tower_wx_session::Identity;

use crate::support::redis::{Client, RedisCluster};

const SLOTS: u16 = 16_384;

/// One slot on its way from one master to another.
pub struct Reshard {
    pub slot: u16,
    pub clients: [Client; 3],
    pub names: [String; 3],
    pub target: String,
    pub from: usize,
    pub to: usize,
}

impl Reshard {
    /// Announces the move; nothing has moved yet.
    pub async fn begin(cluster: &RedisCluster, slot: u16) -> Self {
        let [a, b, c] = [0, 1, 2].map(|number: usize| &cluster.servers[number]);
        let clients = [a.client().await, b.client().await, c.client().await];
        let mut names = [const { String::new() }; 3];
        for (client, name) in clients.iter().zip(&mut names) {
            *name = client.ask(&["CLUSTER", "MYID"]).await;
        }
        let from = usize::from(slot / 5461).min(2);
        let to = (from + 1) % 3;
        let target = cluster.servers[to].port.to_string();
        let reshard = Self {
            slot,
            clients,
            names,
            target,
            from,
            to,
        };
        reshard.set_slot(to, "IMPORTING", from).await;
        reshard.set_slot(from, "MIGRATING", to).await;
        reshard
    }

    pub async fn set_slot(&self, at: usize, state: &str, of: usize) {
        let slot = self.slot.to_string();
        let words = ["CLUSTER", "SETSLOT", &slot, state, &self.names[of]];
        let () = self.clients[at].ask(&words).await;
    }

    /// What has not moved yet.
    pub async fn left(&self) -> Vec<String> {
        let slot = self.slot.to_string();
        let words = ["CLUSTER", "GETKEYSINSLOT", &slot, "100000"];
        let mut keys: Vec<String> = self.clients[self.from].ask(&words).await;
        keys.sort();
        keys
    }

    pub async fn move_key(&self, key: &str) {
        let words = ["MIGRATE", "127.0.0.1", &self.target, key, "0", "5000"];
        let _: String = self.clients[self.from].ask(&words).await;
    }

    /// Moves the rest and ends the move.
    pub async fn finish(&self) {
        loop {
            let left = self.left().await;
            if left.is_empty() {
                break;
            }
            for key in left {
                self.move_key(&key).await;
            }
        }
        for at in [self.to, self.from, 3 - self.from - self.to] {
            self.set_slot(at, "NODE", self.to).await;
        }
    }
}

pub fn is_index(key: &str) -> bool {
    key.contains(":u:")
}

/// CRC-16/XMODEM of a bucket's text, as a Cluster places it.
pub fn slot_of(bucket: [u8; 2]) -> u16 {
    let text = format!("{:04x}", u16::from_be_bytes(bucket));
    let crc = text.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 }
        })
    });
    crc % SLOTS
}

/// Users who are all in one slot, and that slot.
pub fn users_of_one_slot(count: usize) -> (u16, Vec<Identity>) {
    static SLOT: LazyLock<(u16, Vec<Identity>)> = LazyLock::new(find_users);
    let (slot, users) = &*SLOT;
    (*slot, users[..count].to_vec())
}

/// Goes through hundreds of thousands of users for these forty.
fn find_users() -> (u16, Vec<Identity>) {
    let user = |number: u32| Identity::new("appid", number.to_string());
    let slot = slot_of(user(0).bucket());
    let in_slot: Vec<bool> = (0..=u16::MAX)
        .map(|bucket| slot_of(bucket.to_be_bytes()) == slot)
        .collect();
    let users = (0..).map(user);
    let users = users.filter(|user| in_slot[usize::from(u16::from_be_bytes(user.bucket()))]);
    (slot, users.take(40).collect())
}
