//! Which servers work: each story on each release, alone, behind Sentinel and as a Cluster. The table
//! of `src/guide/redis_servers.md` names these tests.

use super::faults::*;
use super::link_losses::*;
use super::servers::Servers;
use super::suite::a_store_passes_the_suite;
use crate::support::redis::Release;

/// A test for each story, each on servers of its own: in the everyday tests or in `./test` only.
macro_rules! stories {
    ($when:ident $servers:ident of $release:ident: $($story:ident)*) => {
        mod $servers {
            use super::super::{Release, Servers};

            $(story! { $when $servers of $release: $story })*
        }
    };
}

macro_rules! story {
    (everyday $servers:ident of $release:ident: $story:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            let servers = Servers::$servers(Release::$release).await;
            super::super::$story(&servers).await;
        }
    };
    (long $servers:ident of $release:ident: $story:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "./test runs it, and installs the servers"]
        async fn $story() {
            let servers = Servers::$servers(Release::$release).await;
            super::super::$story(&servers).await;
        }
    };
}

/// What `./test` runs and the everyday tests do not.
macro_rules! one_server {
    ($release:ident) => {
        stories! {
            long standalone of $release:
            a_store_passes_the_suite
            a_server_that_restarts_with_nothing_gives_503_until_it_is_back
            a_server_that_freezes_gives_503_until_it_is_back
            each_error_of_a_server_is_an_outage
            scripts_that_the_servers_have_lost_are_sent_again
            a_revocation_reaches_the_other_node
            a_link_whose_connection_is_killed_ends
            a_link_to_a_frozen_server_ends
            a_link_to_a_killed_server_ends
            a_link_to_a_server_that_is_no_master_any_more_ends
        }
    };
}

macro_rules! several_servers {
    ($release:ident) => {
        stories! {
            long sentinel of $release:
            a_store_passes_the_suite
            a_dead_master_is_replaced_by_its_replica
            scripts_that_the_servers_have_lost_are_sent_again
            a_revocation_reaches_the_other_node
            a_link_whose_connection_is_killed_ends
            a_link_to_a_frozen_server_ends
            a_link_to_a_killed_server_ends
            a_link_to_a_server_that_is_no_master_any_more_ends
        }
        stories! {
            long cluster of $release:
            a_store_passes_the_suite
            a_server_that_restarts_with_nothing_gives_503_until_it_is_back
            a_server_that_freezes_gives_503_until_it_is_back
            scripts_that_the_servers_have_lost_are_sent_again
            a_revocation_reaches_the_other_node
            a_link_whose_connection_is_killed_ends
            a_link_to_a_frozen_server_ends
            a_link_to_a_killed_server_ends
        }
        stories! {
            long cluster_with_a_replica of $release:
            a_dead_master_is_replaced_by_its_replica
            a_link_to_a_server_that_is_no_master_any_more_ends
        }
    };
}

mod redis_6_2_5 {
    one_server!(Redis6_2_5);
    several_servers!(Redis6_2_5);
}

mod redis_8_2_3 {
    one_server!(Redis8_2_3);
}

mod valkey_9_1_2 {
    one_server!(Valkey9_1_2);
    several_servers!(Valkey9_1_2);
}

/// Debian's 7.0.15, or whichever is installed.
mod system {
    one_server!(System);
}
