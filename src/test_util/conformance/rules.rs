//! The list of all rules; each is the name of the function that checks it.

use std::future::Future;
use std::pin::Pin;

use super::fixture::Fixture;
use super::suite::Suite;
use super::violation::Outcome;
use super::{
    expiry, feed, insert, races, retire, revoke, rotate, session_keys, tag_keys, touch, users,
};

/// A rule by name, and the check of it.
pub(super) type Check<'a> = (
    &'static str,
    Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
);

/// Names each check after its function.
macro_rules! checks {
    ($suite:ident: $($module:ident { $($rule:ident)* })*) => {
        vec![$($((
            concat!(stringify!($module), "::", stringify!($rule)),
            Box::pin($module::$rule($suite)),
        )),*),*]
    };
}

/// Checks that have nothing to do with each other.
pub(super) fn rules<'a, F: Fixture>(suite: &'a Suite<'_, F>) -> Vec<Check<'a>> {
    checks! { suite:
        insert {
            a_new_session_is_live
            a_taken_id_changes_nothing
            an_ended_id_stays_taken
            the_cap_ends_the_oldest
            the_cap_counts_live_sessions_only
            the_cap_is_exact_under_concurrency
            odd_names_and_large_data_are_kept
        }
        retire {
            the_session_taken_over_from_keeps_a_grace
            another_user_s_session_is_left_alone
            an_ended_session_is_left_alone
            a_session_is_retired_once
        }
        expiry {
            an_unknown_session_stays_unknown
            a_session_never_used_ends_at_its_idle_timeout
            the_absolute_end_is_never_moved
            an_idle_session_keeps_its_reason_for_one_idle_timeout
            an_expired_session_keeps_its_reason_for_one_idle_timeout
            a_replaced_session_keeps_its_reason_for_one_idle_timeout
            what_is_forgotten_stays_forgotten
            the_absolute_end_outweighs_the_idle_one
            a_replacement_outweighs_the_absolute_end
            a_revocation_outweighs_every_end
            the_store_s_time_moves_forward
        }
        touch {
            a_touch_moves_the_idle_deadline
            an_older_touch_changes_nothing
            a_touch_that_is_covered_changes_nothing
            a_touch_from_a_clock_that_is_ahead_is_not_taken_for_covered
            a_late_touch_counts
            a_use_after_the_deadline_does_not_count
            uses_without_a_gap_count_from_the_first
            uses_after_the_deadline_do_not_count
            a_touch_counts_when_the_end_is_forgotten
            a_touch_never_creates
            a_touch_never_revives_what_was_revoked
        }
        rotate {
            a_rotation_keeps_the_login
            a_rotation_gives_a_new_idle_deadline
            a_rotation_can_replace_the_data
            the_old_session_stays_good_for_the_grace
            a_session_whose_successor_was_used_cannot_be_rotated
            a_session_that_a_login_took_over_cannot_be_rotated
            a_rotation_can_be_repeated_until_the_new_session_is_used
            an_ended_session_cannot_be_rotated
            a_taken_successor_changes_nothing
            one_of_many_rotations_lasts
        }
        revoke {
            a_revoked_session_is_over_for_the_reason_given
            the_reason_is_kept_until_the_absolute_end
            revoking_again_changes_nothing
            revoking_in_grace_ends_every_successor
            revoking_a_user_ends_all_of_the_user_s_sessions
            revoking_the_others_spares_one_and_its_successor
            revoking_the_others_ends_the_predecessor_of_the_one
            sessions_issued_later_are_spared
            an_idle_session_can_still_be_revoked
            a_session_that_a_late_touch_would_bring_back_can_be_revoked
        }
        users {
            the_list_is_oldest_first_and_live_only
            the_same_openid_in_another_app_is_another_user
            users_who_share_a_bucket_are_apart
        }
        session_keys {
            a_user_has_the_newest_and_those_before_it
            the_newest_is_that_of_the_login_that_began_last
            each_one_is_kept_once
            the_newest_one_again_leaves_the_previous_one_alone
            they_expire
            they_are_of_one_user_in_one_app
        }
        feed {
            revocations_are_told_to_every_node
            replacements_are_told
            an_end_of_what_is_gone_is_told
            nothing_else_is_told
        }
    }
}

/// Checks that need a processor or the fleet's keys to themselves.
pub(super) fn exclusive_rules<'a, F: Fixture>(suite: &'a Suite<'_, F>) -> Vec<Check<'a>> {
    checks! { suite:
        tag_keys {
            one_of_many_is_kept
            only_a_newer_one_is_added
        }
        races {
            no_touch_outruns_a_revocation
            no_rotation_outruns_a_revocation
            no_rotation_outruns_the_revocation_of_a_user
            no_takeover_outruns_a_revocation
            no_insert_outruns_the_revocation_of_a_user
            the_one_that_stays_may_be_rotated_meanwhile
        }
    }
}
