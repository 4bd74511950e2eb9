//! What becomes of mails after single attempts.

use domain::id::MailId;
use domain::mail::MailKind;
use domain::queue::Claim;

use super::*;
use crate::smtp::{Attempt, End, Reply};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A mail asked for at the beginning, after so many attempts that were cut off.
fn mail(uncertain_attempts: u32) -> Claimed {
    Claimed {
        claim: Claim {
            mail: MailId::generate(),
            number: 1,
        },
        kind: MailKind::VerifyEmail,
        to: String::from("ada@example.com"),
        request_id: String::from("request"),
        created: at(0),
        deadline: Some(at(600)),
        tries: uncertain_attempts,
        uncertain_attempts,
        lane: Lane::Main,
        challenge: None,
        suppressed: None,
    }
}

fn relay_attempt(stage: Stage, end: End, relay_is_open: bool) -> RelayAttempt {
    RelayAttempt {
        started: at(0),
        attempt: Attempt {
            relay: String::from("relay.example.com:25"),
            reused: false,
            stage,
            end_of_data_written: stage == Stage::EndOfData,
            end,
            duration: Duration::ZERO,
        },
        relay_is_open,
    }
}

fn broke() -> End {
    End::Failed(String::from("the connection broke"))
}

fn outcome(mail: &Claimed, relay_attempt: &RelayAttempt, now: i64) -> Outcome {
    of_attempts(
        mail,
        std::slice::from_ref(relay_attempt),
        relay_attempt,
        at(now),
    )
}

/// In how many milliseconds the mail is due again.
fn pause(stage: Stage, end: End, relay_is_open: bool, now: i64) -> i128 {
    let outcome = outcome(&mail(0), &relay_attempt(stage, end, relay_is_open), now);
    assert!(!outcome.counted);
    let again = outcome.again_at.unwrap();
    again.duration_since(at(now)).as_millis()
}

#[test]
fn a_mail_whose_relay_is_in_trouble_is_due_again_in_two_seconds_one_more_or_less() {
    for open in [false, true] {
        let pause = pause(Stage::Connect, broke(), open, 0);

        assert!((999..=3001).contains(&pause), "{pause}");
    }
}

#[test]
fn a_mail_at_which_a_relay_fails_is_due_after_the_next_probe_and_alone_less_and_less_often() {
    let refused = || End::Refused(Reply::new(550, "relay denied"));

    assert_eq!(pause(Stage::Rcpt, broke(), true, 500), 3_000);
    assert_eq!(pause(Stage::Rcpt, refused(), true, 500), 16_000);
    assert_eq!(pause(Stage::Rcpt, broke(), false, 10), 3_000);
    assert_eq!(pause(Stage::Rcpt, broke(), false, 120), 10_000);
    assert_eq!(pause(Stage::Rcpt, refused(), false, 120), 16_000);
    assert_eq!(pause(Stage::Rcpt, broke(), false, 5_000), 60_000);
}

#[test]
fn a_notice_at_which_a_relay_fails_for_hours_is_tried_every_half_hour() {
    let notice = Claimed {
        deadline: None,
        ..mail(0)
    };
    let hangs = relay_attempt(Stage::Rcpt, End::Cut(String::from("no answer yet")), false);

    let again = outcome(&notice, &hangs, 40_000).again_at;

    assert_eq!(again, Some(at(41_800)));
}

#[test]
fn what_may_have_been_delivered_says_so_in_the_end_and_only_then() {
    let unknown = relay_attempt(
        Stage::Rcpt,
        End::Refused(Reply::new(550, "5.1.1 who?")),
        false,
    );
    let cut = relay_attempt(Stage::EndOfData, broke(), false);
    let told = |uncertain_attempts, reach| {
        let mail = mail(uncertain_attempts);
        outcome(&mail, reach, 1).honest(uncertain_attempts)
    };

    for (uncertain_attempts, reach, state, said) in [
        (0, &unknown, MailState::Undeliverable, None),
        (0, &cut, MailState::Waiting, None),
        (
            1,
            &unknown,
            MailState::Undeliverable,
            Some("an attempt ended without an answer"),
        ),
        (
            1,
            &cut,
            MailState::Undeliverable,
            Some("two attempts ended without an answer"),
        ),
    ] {
        let outcome = told(uncertain_attempts, reach);

        assert_eq!(outcome.state, state);
        let says = outcome.reason.contains("it may have been delivered");
        assert_eq!(says, said.is_some(), "{}", outcome.reason);
        assert!(outcome.reason.contains(said.unwrap_or_default()));
    }
}
