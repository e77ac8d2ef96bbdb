//! What servers say of themselves, as lines of text.

use redis::Value;

use super::reply::field;
use crate::store::StoreError;

/// The number of the topology, from the answer to CLUSTER INFO; an error if the Cluster is down.
pub(crate) fn topology_epoch(info: &Value) -> Result<String, StoreError> {
    if field(info, "cluster_state")? != "ok" {
        return Err(StoreError::unavailable("the Cluster is down"));
    }
    field(info, "cluster_current_epoch").map(str::to_owned)
}

/// How a server makes room, from the answer to INFO memory.
pub(crate) fn eviction_policy(info: &Value) -> Result<&str, StoreError> {
    field(info, "maxmemory_policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_cluster_that_is_down_has_no_topology() {
        let info = |state: &str| {
            let lines = format!("cluster_state:{state}\r\ncluster_current_epoch:7\r\n");
            topology_epoch(&text(&lines))
        };
        assert_eq!(info("ok").unwrap(), "7");
        assert!(info("fail").is_err());
        assert!(topology_epoch(&text("cluster_state:ok\r\n")).is_err());
        assert!(topology_epoch(&Value::Nil).is_err());
    }

    #[test]
    fn a_server_names_its_eviction_policy() {
        let info = text("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n");
        assert_eq!(eviction_policy(&info).unwrap(), "noeviction");
    }
}
