//! The ports on `SQLite`, as one test program.
//!
//! [`conformance`] holds the rules of the ports, written against
//! [`Store`](domain::store::Store) alone so that another database can run the same suite;
//! [`queue`] those of the mail queue; [`sqlite`] what only this database has: the writer
//! that commits in groups, the file, the disk; [`vitals`] what processes say of themselves.

mod conformance;
mod queue;
mod sqlite;
mod support;
mod vitals;

/// Makes a test of each rule, on a database of its own.
macro_rules! on_sqlite {
    ($($module:ident: $($rule:ident),+ $(,)?;)+) => {
        mod on_sqlite {
            $($(
                #[tokio::test]
                async fn $rule() {
                    let database = crate::support::Database::new().await;

                    crate::conformance::$module::$rule(database.store()).await;
                }
            )+)+
        }
    };
}

on_sqlite! {
    units:
        an_error_undoes_everything_the_unit_wrote,
        an_answer_of_any_type_comes_back,
        a_write_is_seen_by_the_next_view;
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
        every_write_is_the_next_change_and_an_undone_one_is_none,
        a_note_made_again_counts_its_versions_on_for_its_owner_alone,
        a_part_of_the_feed_ends_at_its_bytes_and_the_next_goes_on_from_there,
        a_part_of_the_feed_counts_bytes_as_json_writes_them,
        the_version_of_a_live_note_is_told_without_the_note,
        the_notes_of_a_deleted_user_are_gone_without_a_trace;
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
