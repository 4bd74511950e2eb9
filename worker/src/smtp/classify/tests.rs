//! The table, row by row.

use std::time::Duration;

use super::{AttemptOutcome::*, Stage::*, *};

fn attempt(stage: Stage, end_of_data_written: bool, end: End) -> Attempt {
    Attempt {
        relay: String::from("relay.example.com:25"),
        reused: false,
        stage,
        end,
        end_of_data_written,
        duration: Duration::ZERO,
    }
}

fn verdict(stage: Stage, end_of_data_written: bool, end: End) -> AttemptOutcome {
    classify(&attempt(stage, end_of_data_written, end))
}

/// Each of these replies means that.
fn mean(expected: AttemptOutcome, rows: &[(Stage, u16, &str)]) {
    for &(stage, code, text) in rows {
        let end = match (stage, code) {
            (EndOfData, 250) => End::Accepted(Reply::new(code, text)),
            _ => End::Refused(Reply::new(code, text)),
        };
        let found = verdict(stage, stage == EndOfData, end);

        assert_eq!(found, expected, "{code} {text} at {stage}");
    }
}

#[test]
fn exactly_250_after_the_end_of_data_is_a_delivery() {
    mean(Delivered, &[(EndOfData, 250, "2.0.0 queued as 4F2")]);
}

#[test]
fn another_yes_after_the_dot_is_none_that_counts() {
    mean(
        Uncertain,
        &[
            (EndOfData, 251, "will forward"),
            (EndOfData, 299, "well"),
            (EndOfData, 354, "go on"),
            (EndOfData, 220, "hello"),
        ],
    );
}

#[test]
fn what_is_refused_for_good_is_the_recipients() {
    mean(
        RecipientRefused,
        &[
            (Rcpt, 550, "5.1.1 no such user"),
            (Rcpt, 550, "no enhanced code"),
            (Rcpt, 550, "5.2.1 mailbox disabled"),
            (Rcpt, 551, "user not local"),
            (Rcpt, 553, "5.1.3 bad syntax"),
            (Rcpt, 501, "5.1.3 bad syntax"),
            (Rcpt, 554, "5.1.2 bad domain"),
            (Rcpt, 554, "5.7.1 rejected by policy"),
            (Rcpt, 552, "5.2.2 mailbox full"),
            (Rcpt, 556, "5.1.10 null MX"),
            (Data, 554, "no valid recipients"),
            (EndOfData, 550, "5.7.1 looks like spam"),
            (EndOfData, 552, "5.3.4 too big"),
            (EndOfData, 554, "5.6.0 content rejected"),
            (EndOfData, 554, "5.2.2 mailbox full"),
            (Rcpt, 550, "5.1.1 mx said: relaying denied"),
            (Rcpt, 550, "5.1.1 mx said: throttled"),
            (Rcpt, 504, "5.5.2 need fully-qualified address"),
            (Rcpt, 550, "5.1.0 Address rejected"),
            (
                Rcpt,
                550,
                "5.1.1 <a@example.com>: Recipient address rejected: mx said: 550 5.1.0 Sender address rejected",
            ),
        ],
    );
}

#[test]
fn what_is_refused_for_now_is_the_recipients() {
    mean(
        RecipientLater,
        &[
            (Rcpt, 450, "4.1.1 mx said: throttled"),
            (Rcpt, 450, "4.7.1 Client host rejected: greylisted"),
            (Rcpt, 450, "4.2.0 greylisted"),
            (Rcpt, 450, "mailbox busy"),
            (Rcpt, 451, "4.3.0 try again"),
            (Rcpt, 452, "4.2.2 mailbox full"),
            (Data, 450, "greylisted"),
            (EndOfData, 450, "4.2.0 greylisted"),
            (EndOfData, 451, "4.3.0 local error"),
            (EndOfData, 452, "4.3.1 no space"),
        ],
    );
}

#[test]
fn what_fails_for_everybody_is_the_relays() {
    mean(
        RelayTrouble,
        &[
            (Greeting, 554, "no service"),
            (Greeting, 450, "busy"),
            (Greeting, 502, "EHLO?"),
            (Tls, 454, "TLS not available"),
            (Auth, 454, "4.7.0 temporary failure"),
            (Mail, 451, "4.3.0 later"),
            (Mail, 452, "4.3.1 no space"),
            (Mail, 354, "out of step"),
            (Rcpt, 354, "out of step"),
            (Data, 250, "out of step"),
            (Data, 503, "5.5.1 bad sequence"),
            (Rcpt, 503, "5.5.1 bad sequence"),
            (Rcpt, 450, "4.7.0 Throttled"),
            (EndOfData, 454, "Throttling failure: rate exceeded"),
            (
                EndOfData,
                432,
                "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
            ),
            (Mail, 550, "you are throttled"),
            (Rcpt, 450, "4.7.1 Error: too many recipients from 192.0.2.1"),
            (Rcpt, 451, "4.4.5 Mail system congestion"),
            (
                EndOfData,
                451,
                "4.7.1 Your hourly sending quota is exceeded",
            ),
            (EndOfData, 452, "Daily sending limit exceeded, try tomorrow"),
            (Data, 454, "4.7.0 Maximum sending rate exceeded"),
        ],
    );
}

#[test]
fn what_is_refused_because_of_us_is_ours() {
    mean(
        RelayRefusesUs,
        &[
            (Tls, 502, "STARTTLS?"),
            (Auth, 535, "5.7.8 wrong password"),
            (Auth, 534, "5.7.9 too weak"),
            (Auth, 530, "5.7.0 STARTTLS first"),
            (Mail, 530, "5.7.0 authenticate"),
            (Mail, 550, "5.7.1 sender refused"),
            (Mail, 503, "bad sequence"),
            (Rcpt, 530, "5.7.0 authenticate"),
            (Rcpt, 554, "5.7.1 Relay access denied"),
            (Rcpt, 454, "4.7.1 Relay access denied"),
            (Rcpt, 550, "relay denied"),
            (Rcpt, 550, "5.7.1 Relaying denied"),
            (Rcpt, 550, "5.7.26 unauthenticated"),
            (Rcpt, 550, "5.7.515 access denied"),
            (EndOfData, 550, "5.7.26 unauthenticated"),
            (EndOfData, 550, "5.7.515 access denied"),
            (Rcpt, 553, "5.1.8 sender's domain not found"),
            (
                Rcpt,
                550,
                "5.1.0 <a@example.com>: Sender address rejected: User unknown",
            ),
            (Rcpt, 554, "5.7.1 Client host rejected"),
            (Rcpt, 553, "5.7.1 Sender address rejected"),
            (EndOfData, 554, "Email address is not verified"),
            (
                EndOfData,
                554,
                "Message rejected: Sending paused for this account",
            ),
            (
                EndOfData,
                550,
                "The from address does not match a verified Sender Identity.",
            ),
            (EndOfData, 550, "5.7.1 Unconfigured Sending Domain <x>"),
            (EndOfData, 550, "5.4.5 Daily user sending limit exceeded"),
            (
                EndOfData,
                550,
                "5.7.60 SMTP; Client does not have permissions to send as this sender",
            ),
            (
                EndOfData,
                554,
                "5.2.252 SendAsDenied; a not allowed to send as b",
            ),
            (
                EndOfData,
                554,
                "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException",
            ),
        ],
    );
}

#[test]
fn only_what_says_that_there_is_no_such_address_refuses_the_address() {
    for (stage, code, text, expected) in [
        (Rcpt, 550, "5.1.1 no such user", true),
        (Rcpt, 550, "5.1.10 null MX", true),
        (Rcpt, 554, "5.1.2 bad domain", true),
        (Rcpt, 550, "5.2.1 mailbox disabled", true),
        (Rcpt, 550, "no enhanced code", true),
        (Rcpt, 551, "user not local", true),
        (Rcpt, 553, "mailbox name not allowed", true),
        (Rcpt, 550, "5.5.0 mailbox unavailable", true),
        // It would take other mail, or will.
        (Rcpt, 552, "5.2.2 mailbox full", false),
        (Rcpt, 550, "5.7.1 blocked by policy", false),
        (Rcpt, 550, "5.4.1 no route", false),
        (Rcpt, 554, "no enhanced code", false),
        (Rcpt, 450, "4.1.1 not now", false),
        // It is not the address.
        (Rcpt, 550, "5.7.26 unauthenticated", false),
        (Rcpt, 550, "relay denied", false),
        (Mail, 550, "5.1.1 sender unknown", false),
        // It is the content: at the end of data, whatever the code says.
        (Data, 550, "5.1.1 no valid recipients", false),
        (EndOfData, 550, "5.1.1 no such user", false),
        (EndOfData, 554, "5.6.0 content rejected", false),
    ] {
        let end = End::Refused(Reply::new(code, text));

        let found = refuses_the_address(&attempt(stage, stage == EndOfData, end));

        assert_eq!(found, expected, "{code} {text} at {stage}");
    }
}

#[test]
fn a_421_is_trouble_at_every_stage() {
    for stage in [Greeting, Tls, Auth, Mail, Rcpt, Data, EndOfData] {
        let end = End::Refused(Reply::new(421, "4.7.0 relaying denied, closing"));

        assert_eq!(
            verdict(stage, stage == EndOfData, end),
            RelayTrouble,
            "{stage}"
        );
    }
}

#[test]
fn no_readable_answer_is_trouble_before_the_end_of_data_and_uncertain_after_it() {
    for stage in [
        Resolve, Connect, Tls, Greeting, Auth, Mail, Rcpt, Data, EndOfData,
    ] {
        let end = End::Failed(String::from("reset"));

        assert_eq!(verdict(stage, false, end), RelayTrouble, "{stage}");
    }
    let end = End::Failed(String::from("reset"));

    assert_eq!(verdict(EndOfData, true, end), Uncertain);
}

#[test]
fn a_relay_that_lacks_what_settings_demand_refuses_us() {
    for stage in [Tls, Auth] {
        let end = End::Unfit(String::from("not offered"));

        assert_eq!(verdict(stage, false, end), RelayRefusesUs);
    }
}

#[test]
fn a_stop_of_ours_is_neither_the_mails_nor_the_relays_fault() {
    let end = End::Stopped(String::from("lease lost"));

    assert_eq!(verdict(Data, false, end), Stopped);
}

#[test]
fn a_250_elsewhere_than_after_the_dot_delivers_nothing() {
    let end = End::Accepted(Reply::new(250, "ok"));

    assert_eq!(verdict(Rcpt, false, end), RelayTrouble);
}

#[test]
fn an_attempt_that_was_cut_is_put_off_by_its_recipient_and_by_no_other_stage() {
    let cut = || End::Cut(String::from("no answer yet"));

    for stage in [Connect, Greeting, Mail] {
        assert_eq!(verdict(stage, false, cut()), RelayTrouble);
    }
    for stage in [Rcpt, Data, EndOfData] {
        assert_eq!(verdict(stage, false, cut()), PutOff);
    }
    assert_eq!(verdict(EndOfData, true, cut()), Uncertain);
}

#[test]
fn a_relay_fails_at_a_recipient_where_it_hangs_breaks_off_or_says_421() {
    let busy = || End::Refused(Reply::new(421, "4.3.2 busy"));
    let broke = || End::Failed(String::from("the connection broke"));
    let throttled = End::Refused(Reply::new(450, "4.7.0 throttled"));
    let fails = |stage, end| fails_at_recipient(&attempt(stage, false, end));

    for stage in [Rcpt, Data] {
        assert!(fails(stage, busy()) && fails(stage, broke()));
    }
    for stage in [Greeting, Mail] {
        assert!(!fails(stage, busy()) && !fails(stage, broke()));
    }
    assert!(!fails(Rcpt, throttled), "that is about us");
}
