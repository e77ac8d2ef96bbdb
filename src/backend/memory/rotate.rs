use super::shard::Shard;
use crate::backend::stored::Stored;
use crate::session::{EndReason, Record};
use crate::store::{Loaded, Retire, Rotate, Rotated};
use crate::time::Timestamp;
use crate::token::SessionId;

impl Shard {
    /// Also returns the sessions of which nodes may hold an older record now.
    pub(super) fn rotate(&mut self, rotate: Rotate, now: Timestamp) -> (Rotated, Vec<SessionId>) {
        let nothing = Vec::new();
        if self.sessions.contains_key(&rotate.new) {
            return (Rotated::Taken, nothing);
        }
        let old = match self.load(rotate.old, now) {
            Loaded::Live(record) => record,
            Loaded::Ended { reason, .. } => return (Rotated::Ended(reason), nothing),
            Loaded::NeverSeen => return (Rotated::NeverSeen, nothing),
        };
        let Some(changed) = self.make_way(&rotate, &old, now) else {
            return (Rotated::Ended(EndReason::Replaced), nothing);
        };
        let record = old.rotated(now, rotate.data);
        self.keep(rotate.new, record.clone());
        (Rotated::Done(record), changed)
    }

    /// Retires the old session, or ends what an earlier rotation of it has made; `None` if that is
    /// in use.
    fn make_way(
        &mut self,
        rotate: &Rotate,
        old: &Record,
        now: Timestamp,
    ) -> Option<Vec<SessionId>> {
        if !old.is_retired() {
            let retire = Retire::new(rotate.old, rotate.grace);
            self.retire(retire, rotate.new, &old.identity, now);
            return Some(vec![rotate.old]);
        }
        let unused = self.unused_successor(old, now)?;
        self.overwrite(unused, EndReason::Replaced, now);
        // The grace stays as it is.
        if let Some(Stored::Kept(record)) = self.sessions.get_mut(&rotate.old) {
            record.successor = Some(rotate.new);
        }
        Some(vec![rotate.old, unused])
    }

    /// What a rotation has put in the place of this session and nobody has used. A login that took
    /// over is known by its own time of issue.
    fn unused_successor(&self, old: &Record, now: Timestamp) -> Option<SessionId> {
        let id = old.successor?;
        let new = self.record(id)?;
        let is_unused = new.last_used.is_none() && new.issued_at == old.issued_at;
        (is_unused && !new.is_retired() && new.ended(now).is_none()).then_some(id)
    }
}
