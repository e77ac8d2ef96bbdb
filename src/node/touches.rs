use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::sync::Arc;

use super::rounds::{Flushes, Rounds, UnderWay};
use super::turns::Turns;
use crate::session::{Session, Touch};
use crate::sync::Lock;
use crate::time::Timestamp;
use crate::token::{SessionId, SpreadIds};

/// Sessions of which uses are being written; those of more are put off to their next use.
const MOST: usize = 65_536;

/// Uses that are being written to the store: for each session the first one that it does not have
/// and the last, however long that takes and however often the session is confirmed meanwhile.
#[derive(Default)]
pub(super) struct Touches {
    state: Lock<State>,
    rounds: Arc<Rounds>,
    pub(super) turns: Turns,
}

#[derive(Default)]
struct State {
    writing: HashMap<SessionId, Writing, SpreadIds>,
    /// Those of them that have no writer: they are new, or their writer ended with its runtime.
    without_writer: Vec<SessionId>,
}

struct Writing {
    touch: Touch,
    /// As it was confirmed last: what counts its uses.
    session: Session,
    /// Since the first use that the store does not have.
    _under_way: UnderWay,
}

impl Writing {
    fn latest(&self) -> Touch {
        self.session.usage().latest(self.touch)
    }
}

impl Touches {
    /// Notes a touch. A session that is new here has [no writer](Self::take_without_writer) yet.
    pub(super) fn add(&self, session: &Session, touch: Touch) {
        let mut state = self.state.lock();
        let is_full = state.writing.len() >= MOST;
        match state.writing.entry(session.id()) {
            Entry::Vacant(_) if is_full => session.usage().abandon(),
            Entry::Vacant(entry) => {
                entry.insert(Writing {
                    touch,
                    session: session.clone(),
                    _under_way: self.rounds.enter(),
                });
                state.without_writer.push(session.id());
            }
            Entry::Occupied(mut entry) => {
                let writing = entry.get_mut();
                let earlier = writing.latest();
                writing.touch.used_at = earlier.used_at.max(touch.used_at);
                writing.session = session.clone();
            }
        }
    }

    /// Sessions with uses to write and no writer: the caller writes them.
    pub(super) fn take_without_writer(&self) -> Vec<SessionId> {
        mem::take(&mut self.state.lock().without_writer)
    }

    /// What is to be written now.
    pub(super) fn latest(&self, id: SessionId) -> Option<Touch> {
        self.state.lock().writing.get(&id).map(Writing::latest)
    }

    /// The same, and that it is under way.
    pub(super) fn begin(&self, id: SessionId) -> Option<(Touch, UnderWay)> {
        // Before the look: a flush that comes in between waits for this one, and a use that the look
        // misses came after both.
        let under_way = self.rounds.enter();
        Some((self.latest(id)?, under_way))
    }

    /// The store has taken `touch`, and has this idle deadline now unless it refused; whether there
    /// is more to write, which came since that was `under_way`.
    pub(super) fn written(
        &self,
        touch: &Touch,
        under_way: UnderWay,
        idle_deadline: Option<Timestamp>,
    ) -> bool {
        let mut state = self.state.lock();
        // Under the lock: a use that comes now either is found here or finds nothing being written.
        let Entry::Occupied(mut entry) = state.writing.entry(touch.id) else {
            return false;
        };
        let session = entry.get().session.clone();
        match session.usage().written(touch, idle_deadline) {
            Some(touch) => {
                entry.insert(Writing {
                    touch,
                    session,
                    _under_way: under_way,
                });
                true
            }
            None => {
                entry.remove();
                false
            }
        }
    }

    /// Nobody writes those of a session any more: its next use, or a flush, has it done.
    pub(super) fn abandon(&self, id: SessionId) {
        let mut state = self.state.lock();
        if let Some(writing) = state.writing.get(&id) {
            writing.session.usage().abandon();
            state.without_writer.push(id);
        }
    }

    /// Whether the store has every use that is to be written.
    pub(super) fn are_written(&self) -> bool {
        self.rounds.are_over()
    }

    /// The flushes that begin from now on.
    pub(super) fn flushes(&self) -> Flushes {
        self.rounds.flushes()
    }

    /// Waits until what was noted before the call is written.
    pub(super) fn flush(&self) -> impl Future<Output = ()> + Send + use<> {
        self.rounds.flush()
    }
}
