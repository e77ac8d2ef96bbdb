use redis::Value;

use super::info::topology_epoch;
use super::slots::SlotRange;

/// A Cluster as one of its servers sees it.
pub(crate) struct View {
    pub(crate) ranges: Vec<SlotRange>,
    pub(crate) worth: Worth,
}

/// How much what a server says of its Cluster is worth: the number of the topology, which grows with every
/// failover, or nothing if it says that the Cluster is down, as one does that is cut off from most
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Worth(Option<u64>);

impl Worth {
    /// Reads the answer to CLUSTER INFO, if there is one: a user may not be allowed to ask.
    pub(crate) fn read(info: Option<&Value>) -> Self {
        match info.map(topology_epoch) {
            None => Self::default().enough(),
            Some(epoch) => Self(epoch.ok().and_then(|epoch| epoch.parse().ok())),
        }
    }

    /// What another server has to say to be worth as much, the Cluster being up.
    pub(crate) fn enough(self) -> Self {
        Self(self.0.or(Some(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(state: &str, epoch: &str) -> Worth {
        let info = format!("cluster_state:{state}\r\ncluster_current_epoch:{epoch}\r\n");
        Worth::read(Some(&Value::BulkString(info.into_bytes())))
    }

    #[test]
    fn whoever_is_cut_off_counts_less_and_whoever_knows_more_counts_more() {
        assert!(worth("fail", "9") < worth("ok", "8"));
        assert!(worth("ok", "9") < worth("ok", "10"));
        assert!(worth("fail", "9").enough() <= worth("ok", "1"));
        assert!(worth("ok", "9").enough() > worth("ok", "8"));
        assert!(worth("fail", "9") < Worth::read(None) && Worth::read(None) < worth("ok", "1"));
    }
}
