use redis::Value;

use super::info::topology_epoch;
use super::slots::SlotRange;

/// A Cluster as one of its servers sees it.
pub(crate) struct ClusterView {
    pub(crate) ranges: Vec<SlotRange>,
    pub(crate) epoch: Epoch,
}

/// What a Cluster numbers its topology with, as one of its servers knows it: whoever has a higher one
/// knows of more failovers. None if the server says that the Cluster is down, as one does that is cut off
/// from most others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(Option<u64>);

impl Epoch {
    /// Reads the answer to CLUSTER INFO, if there is one: a user may not be allowed to ask.
    pub(crate) fn read(info: Option<&Value>) -> Self {
        match info.map(topology_epoch) {
            None => Self::default().enough(),
            Some(epoch) => Self(epoch.ok().and_then(|epoch| epoch.parse().ok())),
        }
    }

    /// The least that another server has to say to know as much, the Cluster being up.
    pub(crate) fn enough(self) -> Self {
        Self(self.0.or(Some(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(state: &str, epoch: &str) -> Epoch {
        let info = format!("cluster_state:{state}\r\ncluster_current_epoch:{epoch}\r\n");
        Epoch::read(Some(&Value::BulkString(info.into_bytes())))
    }

    #[test]
    fn whoever_is_cut_off_counts_less_and_whoever_knows_more_counts_more() {
        assert!(said("fail", "9") < said("ok", "8"));
        assert!(said("ok", "9") < said("ok", "10"));
        assert!(said("fail", "9").enough() <= said("ok", "1"));
        assert!(said("ok", "9").enough() > said("ok", "8"));
        assert!(said("fail", "9") < Epoch::read(None) && Epoch::read(None) < said("ok", "1"));
    }
}
