//! The rows that the server of any store has to stand; only `./test faults` runs all of them.

macro_rules! row {
    ($test:ident, $run:path, $fault:literal, $name:literal, $server:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "takes its time: ./test faults runs it"]
        async fn $test() {
            $run(concat!($fault, ", ", $name), $server).await;
        }
    };
}

/// The tests of the server with this name.
macro_rules! rows {
    ($name:literal, $server:expr) => {
        use crate::matrix::row;
        use crate::{crashes, network, outage, races, revocation};

        row!(
            nodes_die,
            crashes::nodes_at,
            "nodes killed in mid-write",
            $name,
            $server
        );
        row!(kill_9, outage::kill_9, "F1 kill -9", $name, $server);
        row!(restart, outage::restart, "F2 restart", $name, $server);
        row!(hang, outage::hang, "F3 SIGSTOP", $name, $server);
        row!(latency, network::latency, "F4 latency", $name, $server);
        row!(resets, network::resets, "F4 resets", $name, $server);
        row!(
            link_dies,
            network::link_dies_alone,
            "F5 link",
            $name,
            $server
        );
        row!(
            cut_off,
            network::one_node_cut_off,
            "F6 healing",
            $name,
            $server
        );
        row!(
            stays_cut_off,
            network::node_stays_cut_off,
            "F6 grace",
            $name,
            $server
        );
        row!(
            revocations,
            revocation::everybody_hears,
            "F7 revocations",
            $name,
            $server
        );
        row!(races, races::races, "F8 races", $name, $server);
        #[cfg(target_os = "linux")]
        row!(
            clocks,
            crate::clocks::clocks_jump,
            "F12 clock jumps",
            $name,
            $server
        );
        row!(
            cold_start,
            outage::cold_start,
            "F16 cold start",
            $name,
            $server
        );
        row!(
            pending,
            revocation::revoke_while_down,
            "F17 pending",
            $name,
            $server
        );
    };
}

pub(crate) use {row, rows};
