use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::session::{Session, Touch};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Uses that the store is being told of: for each session the first one that it does not know and
/// the last, however long that takes and however often the session is confirmed meanwhile.
#[derive(Default)]
pub(super) struct Untold(Mutex<HashMap<SessionId, Owed>>);

struct Owed {
    touch: Touch,
    /// As it was confirmed last: what counts its uses.
    session: Session,
}

impl Owed {
    fn latest(&self) -> Touch {
        self.session.latest(self.touch)
    }
}

impl Untold {
    /// Notes a touch; `false` if the store is being told of earlier ones, and will be of this one.
    pub(super) fn owe(&self, session: &Session, touch: Touch) -> bool {
        match self.lock().entry(session.id()) {
            Entry::Vacant(entry) => {
                let session = session.clone();
                entry.insert(Owed { touch, session });
                true
            }
            Entry::Occupied(mut entry) => {
                let owed = entry.get_mut();
                let earlier = owed.latest();
                owed.touch.used_at = earlier.used_at.max(touch.used_at);
                owed.session = session.clone();
                false
            }
        }
    }

    /// What the store is to be told now.
    pub(super) fn latest(&self, id: SessionId) -> Option<Touch> {
        self.lock().get(&id).map(Owed::latest)
    }

    /// The store was told of `touch`, and has this idle deadline now unless it refused; whether
    /// there is more to tell.
    pub(super) fn told(&self, touch: &Touch, idle_deadline: Option<Timestamp>) -> bool {
        let mut owed = self.lock();
        // Under the lock: a use that comes now either is found here or finds nothing owed.
        let Entry::Occupied(mut entry) = owed.entry(touch.id) else {
            return false;
        };
        match entry.get().session.told(touch, idle_deadline) {
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

    /// Nobody can tell the store: the next use tries again.
    pub(super) fn give_up(&self, id: SessionId) {
        if let Some(owed) = self.lock().remove(&id) {
            owed.session.forget_touch();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Owed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
