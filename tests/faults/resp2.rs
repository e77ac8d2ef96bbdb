//! The link, and what becomes of connections, at a server that speaks RESP2 only.

use super::scenario::durable_resp2;
use super::{network, outage, revocation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_link_that_dies_alone() {
    network::link_dies_alone("F5 link, RESP2", durable_resp2()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn one_node_cut_off_hears_of_everything_when_it_is_back() {
    network::one_node_cut_off("F6 healing, RESP2", durable_resp2()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn every_node_hears_of_a_revocation() {
    revocation::everybody_hears("F7 revocations, RESP2", durable_resp2()).await;
}

/// What depends less on the protocol.
mod only_full {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn kill_9_under_load() {
        outage::kill_9("F1 kill -9, RESP2", durable_resp2()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn restart_after_kill_9() {
        outage::restart("F2 restart, RESP2", durable_resp2()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn a_server_that_hangs() {
        outage::hang("F3 SIGSTOP, RESP2", durable_resp2()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn resets_are_no_end_of_a_session() {
        network::resets("F4 resets, RESP2", durable_resp2()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn a_node_that_stays_cut_off_stops_when_its_grace_ends() {
        network::node_stays_cut_off("F6 grace, RESP2", durable_resp2()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn revocations_while_the_store_is_down() {
        revocation::revoke_while_down("F17 pending, RESP2", durable_resp2()).await;
    }
}
