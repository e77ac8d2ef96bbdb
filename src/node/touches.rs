use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::turns::Turns;
use crate::session::{Session, Touch};
use crate::sync::Lock;
use crate::time::Timestamp;
use crate::token::SessionId;

/// Sessions of which uses are being written; those of more are put off to their next use.
const MOST: u32 = 65_536;

/// Uses that are being written to the store: for each session the first one that it does not have
/// and the last, however long that takes and however often the session is confirmed meanwhile.
pub(super) struct Touches {
    writing: Lock<HashMap<SessionId, Writing>>,
    room: Arc<Semaphore>,
    pub(super) turns: Turns,
}

struct Writing {
    touch: Touch,
    /// As it was confirmed last: what counts its uses.
    session: Session,
}

impl Writing {
    fn latest(&self) -> Touch {
        self.session.usage().latest(self.touch)
    }
}

impl Touches {
    /// The right to have the uses of one more session written, if there is room.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// Notes a touch; `false` if earlier ones are being written, and this one will be.
    pub(super) fn add(&self, session: &Session, touch: Touch) -> bool {
        match self.writing.lock().entry(session.id()) {
            Entry::Vacant(entry) => {
                let session = session.clone();
                entry.insert(Writing { touch, session });
                true
            }
            Entry::Occupied(mut entry) => {
                let writing = entry.get_mut();
                let earlier = writing.latest();
                writing.touch.used_at = earlier.used_at.max(touch.used_at);
                writing.session = session.clone();
                false
            }
        }
    }

    /// What is to be written now.
    pub(super) fn latest(&self, id: SessionId) -> Option<Touch> {
        self.writing.lock().get(&id).map(Writing::latest)
    }

    /// The store has taken `touch`, and has this idle deadline now unless it refused; whether there
    /// is more to write.
    pub(super) fn written(&self, touch: &Touch, idle_deadline: Option<Timestamp>) -> bool {
        let mut writing = self.writing.lock();
        // Under the lock: a use that comes now either is found here or finds nothing being written.
        let Entry::Occupied(mut entry) = writing.entry(touch.id) else {
            return false;
        };
        let usage = entry.get().session.usage();
        match usage.written(touch, idle_deadline) {
            Some(next) => {
                entry.get_mut().touch = next;
                true
            }
            None => {
                entry.remove();
                false
            }
        }
    }

    /// Nobody can write: the next use tries again.
    pub(super) fn abandon(&self, id: SessionId) {
        if let Some(writing) = self.writing.lock().remove(&id) {
            writing.session.usage().abandon();
        }
    }

    /// Waits until nothing is being written.
    pub(super) async fn flush(&self) {
        // An error would mean that there is no room any more.
        let _all = self.room.acquire_many(MOST).await;
    }
}

impl Default for Touches {
    fn default() -> Self {
        Self {
            writing: Lock::default(),
            room: Arc::new(Semaphore::new(MOST as usize)),
            turns: Turns::default(),
        }
    }
}
