use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::sync::Lock;
use crate::token::SessionId;

/// Sessions of one user share a shard, because they share a bucket.
const SHARDS: usize = 64;

/// Who waits for the end of a session.
///
/// Exact, where the marks of [`Changes`](super::changes::Changes) are not: a revocation wakes those who wait for the sessions that
/// it is about and nobody else, however many there are.
pub(super) struct Waiters {
    /// In the order of ids, so that the sessions of a bucket are neighbours.
    shards: [Lock<Shard>; SHARDS],
    /// Rung when revocations may have been missed.
    relinked: Notify,
}

type Shard = BTreeMap<SessionId, Bell>;

/// Rung when something has happened to a session.
struct Bell {
    notify: Arc<Notify>,
    waiters: usize,
}

impl Bell {
    /// To be rung without the lock: whoever is woken may leave at once.
    fn handle(&self) -> Arc<Notify> {
        Arc::clone(&self.notify)
    }
}

/// One who waits, until it is dropped.
pub(crate) struct Waiter {
    all: Arc<Waiters>,
    id: SessionId,
    notify: Arc<Notify>,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Lock::default()),
            relinked: Notify::new(),
        }
    }

    pub(super) fn join(self: &Arc<Self>, id: SessionId) -> Waiter {
        let mut shard = self.shard(id.bucket());
        let bell = shard.entry(id).or_insert_with(|| Bell {
            notify: Arc::default(),
            waiters: 0,
        });
        bell.waiters += 1;
        Waiter {
            all: Arc::clone(self),
            id,
            notify: Arc::clone(&bell.notify),
        }
    }

    fn leave(&self, id: SessionId) {
        let mut shard = self.shard(id.bucket());
        if let Some(bell) = shard.get_mut(&id) {
            bell.waiters -= 1;
            if bell.waiters == 0 {
                shard.remove(&id);
            }
        }
    }

    /// Something happened to this session.
    pub(super) fn wake(&self, id: SessionId) {
        let bell = self.shard(id.bucket()).get(&id).map(Bell::handle);
        bell.iter().for_each(|bell| bell.notify_waiters());
    }

    /// Something happened to the sessions of a user in this bucket.
    pub(super) fn wake_bucket(&self, bucket: [u8; 2]) {
        let shard = self.shard(bucket);
        let sessions = shard.range(first_of(bucket)..);
        let sessions = sessions.take_while(|(id, _)| id.bucket() == bucket);
        let bells: Vec<_> = sessions.map(|(_, bell)| bell.handle()).collect();
        drop(shard);
        bells.iter().for_each(|bell| bell.notify_waiters());
    }

    /// The link is gone or new: what happens while there is none is not known.
    pub(super) fn relinked(&self) {
        self.relinked.notify_waiters();
    }

    fn shard(&self, bucket: [u8; 2]) -> MutexGuard<'_, Shard> {
        let index = usize::from(u16::from_be_bytes(bucket)) % SHARDS;
        self.shards[index].lock()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.lock().len()).sum()
    }
}

impl Waiter {
    /// Ends when something has happened to the session since this was called.
    pub(crate) fn woken(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Ends when the link was lost or replaced since this was called.
    pub(crate) fn relinked(&self) -> Notified<'_> {
        self.all.relinked.notified()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.all.leave(self.id);
    }
}

/// The smallest id in a bucket.
fn first_of(bucket: [u8; 2]) -> SessionId {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&bucket);
    SessionId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn id(bucket: u8, rest: u8) -> SessionId {
        let mut bytes = [rest; 18];
        bytes[..2].copy_from_slice(&[0, bucket]);
        SessionId::from_bytes(bytes)
    }

    fn is_woken(woken: Notified<'_>) -> bool {
        pin!(woken)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn a_change_wakes_those_who_wait_for_that_session() {
        let waiters = Arc::new(Waiters::new());
        let [one, same, other] = [id(1, 1), id(1, 1), id(1, 2)].map(|id| waiters.join(id));
        let (of_one, of_same, of_other) = (one.woken(), same.woken(), other.woken());
        waiters.wake(id(1, 1));
        assert!(is_woken(of_one) && is_woken(of_same) && !is_woken(of_other));
    }

    #[test]
    fn a_bucket_is_woken_without_its_neighbours() {
        let waiters = Arc::new(Waiters::new());
        let ids = [id(1, 255), id(2, 0), id(2, 255), id(3, 0), id(2 + 64, 0)];
        let joined = ids.map(|id| waiters.join(id));
        let woken = joined.each_ref().map(Waiter::woken);
        waiters.wake_bucket([0, 2]);
        assert_eq!(woken.map(is_woken), [false, true, true, false, false]);
    }

    #[test]
    fn a_new_link_wakes_everyone() {
        let waiters = Arc::new(Waiters::new());
        let joined = [id(1, 1), id(2, 2)].map(|id| waiters.join(id));
        let relinked = joined.each_ref().map(Waiter::relinked);
        waiters.relinked();
        assert_eq!(relinked.map(is_woken), [true, true]);
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let waiters = Arc::new(Waiters::new());
        let [one, same] = [id(1, 1), id(1, 1)].map(|id| waiters.join(id));
        drop(one);
        assert_eq!(waiters.len(), 1);
        drop(same);
        assert_eq!(waiters.len(), 0);
    }
}
