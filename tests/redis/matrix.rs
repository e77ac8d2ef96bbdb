//! Which servers work: each story on each release, alone, behind Sentinel and as a Cluster. The table
//! of `src/guide/redis_servers.md` names these tests.

use super::faults::*;
use super::link_losses::*;
use super::servers::Servers;
use super::suite::a_store_passes_the_suite;
use super::tag_keys::*;
use crate::support::redis::Release;

/// A test for each story, on servers of its own. Those that are `everyday` need the system's server
/// only; the others are for `./test`.
macro_rules! stories {
    ($servers:ident of $release:ident: $($when:ident { $($story:ident)* })*) => {
        pub mod $servers {
            use super::super::{Release, Servers};

            $($(story! { $when $servers of $release: $story })*)*
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

macro_rules! one_server {
    ($when:ident $release:ident) => {
        stories! {
            standalone of $release:
            $when {
                a_store_passes_the_suite
                a_lost_source_comes_back_without_a_node_that_knows_it
                a_node_puts_back_what_no_place_has_any_more
                all_places_lost_and_no_node_left_end_no_session
                a_node_that_was_cut_off_agrees_with_the_others_again
                old_and_new_nodes_agree_after_a_flush
                old_and_new_nodes_agree_after_a_restart_with_nothing
                a_key_that_an_older_release_keeps_is_found_and_copied
            }
            long {
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
        }
    };
}

macro_rules! several_servers {
    ($release:ident) => {
        stories! {
            sentinel of $release:
            long {
                a_store_passes_the_suite
                a_dead_master_is_replaced_by_its_replica
                scripts_that_the_servers_have_lost_are_sent_again
                a_revocation_reaches_the_other_node
                a_link_whose_connection_is_killed_ends
                a_link_to_a_frozen_server_ends
                a_link_to_a_killed_server_ends
                a_link_to_a_server_that_is_no_master_any_more_ends
            }
        }
        stories! {
            cluster of $release:
            long {
                a_store_passes_the_suite
                a_server_that_restarts_with_nothing_gives_503_until_it_is_back
                a_server_that_freezes_gives_503_until_it_is_back
                scripts_that_the_servers_have_lost_are_sent_again
                a_revocation_reaches_the_other_node
                a_link_whose_connection_is_killed_ends
                a_link_to_a_frozen_server_ends
                a_link_to_a_killed_server_ends
                all_places_lost_and_no_node_left_end_no_session
                a_node_that_was_cut_off_agrees_with_the_others_again
                old_and_new_nodes_agree_after_a_flush
                no_key_is_made_while_a_copy_cannot_be_read
            }
        }
        stories! {
            cluster_with_a_replica of $release:
            long {
                a_dead_master_is_replaced_by_its_replica
                a_link_to_a_server_that_is_no_master_any_more_ends
            }
        }
    };
}

mod redis_6_2_5 {
    one_server!(long Redis6_2_5);
    several_servers!(Redis6_2_5);
}

mod redis_8_2_3 {
    one_server!(long Redis8_2_3);
}

mod valkey_9_1_2 {
    one_server!(long Valkey9_1_2);
    several_servers!(Valkey9_1_2);
}

/// Debian's 7.0.15, or whichever is installed.
mod system {
    one_server!(everyday System);
    stories! {
        cluster of System:
        everyday {
            a_store_passes_the_suite
            a_node_that_starts_without_the_keys_master_serves_the_others_users
            no_key_is_made_while_a_copy_cannot_be_read
        }
    }
}
