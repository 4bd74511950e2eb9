//! The list of all rules, as a macro that makes tests of them.

/// Makes a test of each rule, on a database of its own. `$database` implements [`Backdoor`](crate::Backdoor); the calling
/// crate depends on `tokio` with its macros.
#[macro_export]
macro_rules! conformance_tests {
    ($database:ty) => {
        $crate::conformance_tests! { @store $database,
            units:
                an_error_undoes_everything_the_unit_wrote,
                an_answer_of_any_type_comes_back,
                a_write_is_seen_by_the_next_reader;
            registering:
                a_registration_is_one_attempt_one_challenge_and_one_mail,
                a_name_of_a_live_attempt_is_taken_for_other_addresses_until_it_lapses,
                an_address_may_register_again_at_once_with_the_same_name,
                a_sixth_live_attempt_is_refused_until_the_first_challenge_ends,
                one_client_has_at_most_half_of_the_live_attempts_of_an_address,
                a_verified_address_gets_a_decoy_and_its_owner_one_notice_an_hour,
                a_verified_address_is_told_apart_when_the_settings_say_so;
            verifying:
                the_right_code_makes_one_user_and_ends_the_attempt,
                a_code_used_twice_is_refused,
                fifty_parallel_right_codes_make_one_user,
                a_wrong_code_is_counted_and_the_count_is_kept,
                a_sixth_try_is_refused_even_with_the_right_code,
                a_strangers_wrong_codes_do_not_burn_the_holder_of_the_handle,
                a_code_one_second_past_its_life_is_refused,
                the_code_decides_which_of_two_attempts_wins,
                a_code_of_a_key_that_is_missing_counts_nothing,
                a_user_added_meanwhile_under_that_name_makes_the_attempt_lose;
            resending:
                a_resend_mails_the_same_challenge_again,
                a_resend_with_less_than_half_the_life_left_makes_a_new_challenge,
                a_resend_for_an_unknown_address_queues_decoys,
                a_resend_after_spent_tries_makes_a_new_challenge_and_starts_the_count_anew;
            logging_in:
                an_attempt_is_known_to_login_until_it_lapses,
                a_user_is_found_by_name_and_by_address,
                a_login_finds_its_clients_newest_attempts,
                a_login_finds_decoys_of_its_client_alone,
                a_session_needs_the_credentials_that_were_checked;
            changing:
                a_password_is_set_while_the_credentials_are_those_that_were_checked,
                a_rehash_changes_the_hash_alone,
                an_address_is_set_once_and_a_taken_one_is_a_conflict,
                a_name_is_set_and_a_taken_one_is_a_conflict,
                a_deleted_user_is_gone_and_its_number_is_not_given_again,
                the_mails_of_an_address_that_is_gone_are_withdrawn_and_forgotten;
            recording:
                what_was_counted_is_found_in_its_window_oldest_first,
                what_is_counted_twice_in_one_moment_counts_twice,
                one_count_or_all_of_a_key_can_be_taken_back,
                what_is_in_flight_counts_until_its_outcome_is_known,
                a_row_under_a_key_grows_until_it_is_ended,
                a_client_is_known_to_the_user_it_logged_in_alone,
                a_users_events_are_listed_newest_first_with_who_was_behind_them,
                the_records_of_a_user_that_is_gone_name_nobody;
            operating:
                a_pause_lasts_until_it_is_ended_and_keeps_its_beginning,
                a_kind_is_resumed_alone_or_together_with_everything,
                a_kind_paused_again_has_a_new_beginning,
                a_cancelled_mail_is_over_and_that_is_on_record,
                a_cancelled_mail_can_be_retried_while_it_is_of_use,
                a_mail_whose_code_was_used_is_not_retried,
                a_mail_that_is_not_there_is_neither_cancelled_nor_retried,
                the_cancelled_farewell_of_an_account_names_its_pseudonym_alone,
                mails_are_listed_page_by_page_whatever_is_looked_for,
                a_page_after_a_mail_that_is_gone_is_empty,
                mails_are_listed_by_kind_since_a_time_and_by_user,
                the_queue_is_counted_by_state_and_kind_with_its_oldest_mail,
                attempts_of_an_address_are_told_until_one_is_verified,
                lifting_what_is_not_suppressed_changes_and_records_nothing;
            noting:
                a_note_comes_back_as_it_was_written,
                a_note_with_an_identifier_of_its_own_begins_with_version_1,
                a_note_of_nobody_is_refused_as_not_found,
                an_identifier_is_given_once_whoever_asks_for_it,
                a_note_was_deleted_while_its_owner_has_it_neither_live_nor_in_the_trash,
                of_fifty_notes_at_once_no_more_are_added_than_the_plan_allows,
                a_trashed_note_leaves_room_and_comes_back_only_into_room,
                the_version_of_a_live_note_is_told_without_the_note,
                the_notes_of_a_deleted_user_are_gone_without_a_trace;
            feeding:
                every_write_is_the_next_change_and_an_undone_one_is_none,
                a_note_made_again_counts_its_versions_on_for_its_owner_alone,
                a_part_of_the_feed_ends_at_its_bytes_and_the_next_goes_on_from_there,
                a_part_of_the_feed_counts_bytes_as_json_writes_them;
            numbering:
                after_a_jump_what_is_stored_stays_and_what_follows_lies_beyond,
                numbers_jump_the_least_further_at_least_and_never_too_far,
                a_version_is_ahead_that_no_note_of_the_user_ever_had,
                ids_of_users_are_left_out_unless_too_few_are_left;
            listing:
                every_order_goes_on_from_a_place_in_both_directions,
                a_page_ends_at_its_bytes_and_the_next_goes_on_from_there,
                each_filter_holds_alone_and_with_the_others,
                each_word_must_begin_one_of_the_notes,
                whole_words_and_those_of_the_title_rank_higher,
                words_of_what_does_not_change_stay;
            paying:
                a_user_is_on_premium_while_any_grant_has_not_ended,
                of_nobody_the_plan_is_free_and_nothing_is_used,
                an_event_is_taken_once_whatever_else_comes_under_its_id,
                a_subscription_belongs_to_whom_its_own_checkout_names_else_to_the_customers,
                an_event_that_names_nobody_here_is_kept_and_does_nothing,
                an_event_of_a_test_does_nothing_ever_unless_tests_count_when_it_comes,
                grants_and_events_go_with_their_user,
                what_was_transferred_outlives_the_account_that_bought_it;
            ordering:
                every_order_of_the_same_events_ends_in_the_same_state,
                every_order_of_the_events_of_a_subscription_that_is_over_ends_without_premium,
                every_order_of_the_events_of_two_subscriptions_ends_with_the_longer_one,
                every_order_of_the_events_of_a_transfer_ends_with_the_new_owner,
                every_order_of_events_that_name_their_user_ends_in_the_same_state;
            statements:
                conflicts_are_named,
                a_challenge_is_used_once,
                a_challenge_that_has_ended_or_expired_is_not_used,
                tries_are_counted_up_to_their_limit,
                a_mail_is_found_by_the_beginning_of_its_id,
                mails_are_listed_newest_first_by_state_and_address;
        }
        $crate::conformance_tests! { @queue $database, #[tokio::test],
            claiming:
                only_what_is_due_is_claimed_and_only_once,
                codes_go_before_notices_and_older_ones_before_newer,
                a_limit_is_kept_and_none_claims_nothing,
                a_claim_brings_what_the_delivery_needs,
                a_job_holds_the_mails_id_and_nothing_else,
                a_job_without_a_mail_is_set_aside_and_never_returned,
                a_mail_of_a_kind_this_version_does_not_know_keeps_no_other_waiting,
                due_says_what_waits_without_taking_it,
                only_mails_whose_key_the_worker_has_are_claimed_and_due,
                a_dead_code_is_claimed_also_without_its_key,
                a_claim_given_back_waits_on_if_it_waited,
                a_released_claim_goes_back_without_an_attempt;
            depth:
                the_depth_counts_what_is_not_over_and_knows_since_when_it_is_due,
                the_oldest_due_mail_may_be_one_of_the_slow_lane,
                the_keys_that_waiting_codes_need_are_named_while_the_codes_live,
                the_newest_mail_is_the_one_asked_for_last;
            intervening:
                whatever_was_not_delivered_can_be_retried_and_is_claimed_at_once,
                a_delivered_mail_and_one_in_flight_are_not_retried,
                a_mail_that_killed_its_workers_gets_as_many_again,
                a_cancelled_mail_is_claimed_by_nobody_and_its_job_is_killed,
                a_cancelled_mail_says_that_it_may_have_been_delivered_and_only_if_it_may,
                a_mail_withdrawn_with_its_account_says_so_too_even_if_its_second_try_has_begun,
                a_mail_in_flight_is_cancelled_as_long_as_its_end_is_not_on_its_way,
                a_mail_whose_end_is_on_its_way_is_not_cancelled,
                a_mail_cancelled_in_flight_is_not_given_back,
                a_mail_cancelled_in_flight_and_retried_has_one_owner,
                a_mail_that_was_uncertain_twice_is_not_retried,
                a_mail_without_its_job_is_refused_and_left_as_it_is;
            maintaining:
                a_code_that_dies_before_anybody_claims_its_mail_has_expired,
                a_mail_that_expires_while_it_waits_keeps_what_it_waited_for_and_what_may_have_happened,
                a_mail_in_flight_never_expires_here,
                a_notice_that_nobody_could_send_has_expired_after_a_day,
                a_mail_of_the_slow_lane_whose_key_is_missing_says_so_and_wakes_no_worker_without_it,
                a_mail_whose_key_is_missing_waits_for_it_in_so_many_words,
                a_decoy_needs_no_key,
                a_worker_that_has_the_key_explains_nothing,
                a_mail_never_tried_is_due_at_once_when_the_clock_is_set_back,
                a_mail_that_waits_is_due_when_no_schedule_would_have_it_wait_so_long,
                a_mail_taken_back_from_a_dead_worker_is_due_when_the_clock_is_set_back,
                a_job_that_is_kept_back_on_purpose_stays_so,
                a_job_without_a_mail_and_of_an_unknown_priority_is_set_aside;
            pausing:
                nothing_is_claimed_while_the_queue_is_paused_and_everything_after,
                what_was_claimed_before_the_pause_is_settled_in_it,
                a_paused_kind_waits_while_the_others_go_and_comes_back_in_its_order,
                a_paused_kind_waits_from_whichever_end_mails_are_claimed,
                a_mail_that_comes_due_in_the_pause_is_held_too,
                a_backlog_of_a_paused_kind_neither_blocks_others_nor_gets_lost,
                a_purge_gives_back_what_was_held_by_a_pause_that_has_ended,
                a_held_mail_can_be_cancelled_and_one_retried_is_held_again,
                who_paused_and_resumed_what_is_on_record;
            permits:
                a_live_code_in_flight_gets_a_permit,
                a_notice_needs_no_challenge_to_get_a_permit,
                an_old_claim_gets_no_permit,
                an_expired_code_gets_no_permit,
                a_code_that_was_used_meanwhile_gets_no_permit,
                a_code_that_was_replaced_meanwhile_gets_no_permit,
                a_code_whose_attempt_lost_meanwhile_gets_no_permit,
                a_mail_whose_end_of_data_may_be_written_is_not_withdrawn_with_its_account;
            processes:
                a_process_is_there_with_its_keys_from_its_first_word_to_its_last,
                one_that_was_killed_stays_until_it_is_forgotten;
            relay_status:
                the_last_word_of_each_worker_is_read_in_its_order,
                a_worker_that_leaves_or_is_found_dead_takes_its_word_with_it;
            rescuing:
                a_mail_before_its_end_of_data_waits_for_another_and_no_attempt_is_counted,
                a_mail_after_its_end_of_data_counts_as_uncertain_and_a_second_time_is_the_last,
                a_mark_of_an_earlier_claim_is_not_counted_again,
                a_mail_that_kills_its_workers_takes_no_other_with_it,
                staggered_mails_are_not_taken_for_rescheduled_by_a_clock,
                a_mail_that_three_workers_died_with_is_set_aside,
                a_frozen_workers_late_result_is_lost_and_it_may_go_on,
                the_living_keep_what_they_have_in_flight,
                a_worker_is_listed_while_it_beats_and_gone_when_it_leaves,
                a_worker_with_a_mail_in_flight_does_not_leave_unnoticed,
                a_mail_set_aside_after_a_cut_says_that_it_may_have_been_delivered,
                the_address_of_an_account_that_is_gone_is_forgotten_also_when_a_rescue_ends_its_mail;
            settling:
                a_delivered_mail_is_done_with_its_record,
                words_of_an_older_version_are_read_as_todays_and_newer_ones_are_kept,
                each_relay_attempt_is_a_record_of_its_own_in_their_order,
                jobs_say_what_the_states_promise,
                a_mail_that_waits_is_pending_unlocked_and_claimed_only_after_its_time,
                an_attempt_that_does_not_count_is_given_back,
                an_old_claim_settles_nothing_and_is_told_so,
                a_claim_settled_twice_counts_once,
                an_old_claim_released_changes_nothing;
            slow:
                a_slow_mail_is_claimed_only_as_one_until_it_is_slow_no_more,
                slow_codes_go_before_slow_notices_and_both_beside_what_else_is_claimed,
                a_slow_mail_that_has_had_its_turn_often_does_not_keep_a_newer_one_waiting,
                mails_of_the_slow_lane_without_an_attempt_share_it_with_others_and_the_newest_goes_first,
                mails_that_waited_for_a_destination_which_has_answered_are_due_at_once,
                a_mail_that_a_pause_of_its_kind_holds_stays_held_when_its_destination_answers,
                a_mail_changes_between_all_lanes_and_keeps_its_urgency,
                a_part_of_a_claim_may_be_the_newest_mails_and_none_is_claimed_twice,
                a_trial_is_the_newest_mail_that_has_not_been_tried,
                a_trial_is_a_mail_that_has_not_failed_or_else_the_oldest;
            suppressing:
                a_refused_address_is_suppressed_for_its_time_with_what_the_relay_said,
                the_next_claim_to_a_suppressed_address_says_so_and_others_do_not,
                a_result_that_comes_too_late_suppresses_nobody,
                the_address_of_an_account_that_is_gone_is_not_kept,
                an_operator_lifts_a_suppression_once_and_that_is_on_record,
                a_mail_to_a_suppressed_address_that_is_retried_gets_an_attempt,
                suppressions_are_purged_when_their_time_is_over;
            watching:
                a_commit_of_another_handle_wakes,
                a_commit_between_two_calls_is_not_missed,
                a_cancelled_call_loses_nothing,
                what_was_committed_before_the_watch_began_does_not_wake;
        }
        $crate::conformance_tests! { @queue $database, #[tokio::test(flavor = "multi_thread")],
            claiming:
                eight_workers_on_two_handles_never_claim_one_mail_twice;
        }
    };

    (@store $database:ty, $($module:ident: $($rule:ident),+ $(,)?;)+) => {
        $($(
            #[tokio::test]
            async fn $rule() {
                let database = <$database as $crate::Backdoor>::new().await;

                $crate::store::$module::$rule($crate::Backdoor::store(&database)).await;
            }
        )+)+
    };

    (@queue $database:ty, #[$test:meta], $($module:ident: $($rule:ident),+ $(,)?;)+) => {
        $($(
            #[$test]
            async fn $rule() {
                $crate::queue::$module::$rule::<$database>().await;
            }
        )+)+
    };
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The names of the public functions of a folder's files that have this signature, less spaces.
    fn rules(folder: &str, signature: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(folder);
        let mut found = Vec::new();
        for file in fs::read_dir(folder).unwrap() {
            let mut text = fs::read_to_string(file.unwrap().path()).unwrap();
            text.retain(|letter| !letter.is_whitespace());
            let functions = text.split("pubasyncfn").skip(1);
            let names = functions.filter_map(|function| {
                let (name, rest) = function.split_at(function.find(['(', '<'])?);
                rest.starts_with(signature).then(|| name.to_owned())
            });
            found.extend(names);
        }
        found
    }

    #[test]
    fn every_rule_is_in_the_list() {
        let list = include_str!("list.rs");
        let mut all = rules("store", "(store:Store");
        all.extend(rules("queue", "<D:Backdoor"));

        let listed = |rule: &String| {
            let mut ends = list
                .match_indices(rule.as_str())
                .map(|(at, _)| at + rule.len());
            ends.any(|end| list[end..].starts_with([',', ';']))
        };
        let missing: Vec<_> = all.iter().filter(|rule| !listed(rule)).collect();

        assert!(all.len() > 150, "{}", all.len());
        assert_eq!(missing, Vec::<&String>::new());
    }
}
