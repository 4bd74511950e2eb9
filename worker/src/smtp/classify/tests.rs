//! The table, row by row.

use std::time::Duration;

use super::{Stage::*, Verdict::*, *};

fn attempt(stage: Stage, dot_written: bool, end: End) -> Try {
    Try {
        relay: String::from("relay.example.com:25"),
        reused: false,
        stage,
        end,
        dot_written,
        duration: Duration::ZERO,
    }
}

fn verdict(stage: Stage, dot_written: bool, end: End) -> Verdict {
    classify(&attempt(stage, dot_written, end))
}

#[test]
fn every_reply_has_its_row_in_the_table() {
    let rows = [
        // Delivered: exactly 250 after the dot.
        (Dot, 250, "2.0.0 queued as 4F2", Delivered),
        // Positive, but not that: the mail may be there, and may not.
        (Dot, 251, "will forward", Ambiguous),
        (Dot, 299, "well", Ambiguous),
        (Dot, 354, "go on", Ambiguous),
        (Dot, 220, "hello", Ambiguous),
        // The recipient is refused.
        (Rcpt, 550, "5.1.1 no such user", RecipientRefused),
        (Rcpt, 550, "no enhanced code", RecipientRefused),
        (Rcpt, 550, "5.2.1 mailbox disabled", RecipientRefused),
        (Rcpt, 551, "user not local", RecipientRefused),
        (Rcpt, 553, "5.1.3 bad syntax", RecipientRefused),
        (Rcpt, 501, "5.1.3 bad syntax", RecipientRefused),
        (Rcpt, 554, "5.1.2 bad domain", RecipientRefused),
        (Rcpt, 554, "5.7.1 rejected by policy", RecipientRefused),
        (Rcpt, 552, "5.2.2 mailbox full", RecipientRefused),
        (Rcpt, 556, "5.1.10 null MX", RecipientRefused),
        (Data, 554, "no valid recipients", RecipientRefused),
        (Dot, 550, "5.7.1 looks like spam", RecipientRefused),
        (Dot, 552, "5.3.4 too big", RecipientRefused),
        (Dot, 554, "5.6.0 content rejected", RecipientRefused),
        (Dot, 554, "5.2.2 mailbox full", RecipientRefused),
        (
            Rcpt,
            550,
            "5.1.1 mx said: relaying denied",
            RecipientRefused,
        ),
        (Rcpt, 550, "5.1.1 mx said: throttled", RecipientRefused),
        // The recipient is refused for now.
        (Rcpt, 450, "4.1.1 mx said: throttled", RecipientLater),
        (
            Rcpt,
            450,
            "4.7.1 Client host rejected: greylisted",
            RecipientLater,
        ),
        (Rcpt, 450, "4.2.0 greylisted", RecipientLater),
        (Rcpt, 450, "mailbox busy", RecipientLater),
        (Rcpt, 451, "4.3.0 try again", RecipientLater),
        (Rcpt, 452, "4.2.2 mailbox full", RecipientLater),
        (Data, 450, "greylisted", RecipientLater),
        (Dot, 450, "4.2.0 greylisted", RecipientLater),
        (Dot, 451, "4.3.0 local error", RecipientLater),
        (Dot, 452, "4.3.1 no space", RecipientLater),
        // The relay is in trouble.
        (Greeting, 554, "no service", RelayTrouble),
        (Greeting, 450, "busy", RelayTrouble),
        (Greeting, 502, "EHLO?", RelayTrouble),
        (Tls, 454, "TLS not available", RelayTrouble),
        (Auth, 454, "4.7.0 temporary failure", RelayTrouble),
        (Mail, 451, "4.3.0 later", RelayTrouble),
        (Mail, 452, "4.3.1 no space", RelayTrouble),
        (Mail, 354, "out of step", RelayTrouble),
        (Rcpt, 354, "out of step", RelayTrouble),
        (Data, 250, "out of step", RelayTrouble),
        (Data, 503, "5.5.1 bad sequence", RelayTrouble),
        (Rcpt, 503, "5.5.1 bad sequence", RelayTrouble),
        (
            Rcpt,
            504,
            "5.5.2 need fully-qualified address",
            RecipientRefused,
        ),
        (Rcpt, 450, "4.7.0 Throttled", RelayTrouble),
        (Dot, 454, "Throttling failure: rate exceeded", RelayTrouble),
        (
            Dot,
            432,
            "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
            RelayTrouble,
        ),
        (Mail, 550, "you are throttled", RelayTrouble),
        (
            Rcpt,
            450,
            "4.7.1 Error: too many recipients from 192.0.2.1",
            RelayTrouble,
        ),
        // The relay refuses us.
        (Tls, 502, "STARTTLS?", RelayRefusesUs),
        (Auth, 535, "5.7.8 wrong password", RelayRefusesUs),
        (Auth, 534, "5.7.9 too weak", RelayRefusesUs),
        (Auth, 530, "5.7.0 STARTTLS first", RelayRefusesUs),
        (Mail, 530, "5.7.0 authenticate", RelayRefusesUs),
        (Mail, 550, "5.7.1 sender refused", RelayRefusesUs),
        (Mail, 503, "bad sequence", RelayRefusesUs),
        (Rcpt, 530, "5.7.0 authenticate", RelayRefusesUs),
        (Rcpt, 554, "5.7.1 Relay access denied", RelayRefusesUs),
        (Rcpt, 454, "4.7.1 Relay access denied", RelayRefusesUs),
        (Rcpt, 550, "relay denied", RelayRefusesUs),
        (Rcpt, 550, "5.7.1 Relaying denied", RelayRefusesUs),
        (Rcpt, 550, "5.7.26 unauthenticated", RelayRefusesUs),
        (Rcpt, 550, "5.7.515 access denied", RelayRefusesUs),
        (Dot, 550, "5.7.26 unauthenticated", RelayRefusesUs),
        (Dot, 550, "5.7.515 access denied", RelayRefusesUs),
        (Rcpt, 553, "5.1.8 sender's domain not found", RelayRefusesUs),
        (
            Rcpt,
            550,
            "5.1.0 <a@example.com>: Sender address rejected: User unknown",
            RelayRefusesUs,
        ),
        (Rcpt, 550, "5.1.0 Address rejected", RecipientRefused),
        (
            Rcpt,
            550,
            "5.1.1 <a@example.com>: Recipient address rejected: mx said: 550 5.1.0 Sender address rejected",
            RecipientRefused,
        ),
        (Rcpt, 554, "5.7.1 Client host rejected", RelayRefusesUs),
        (Rcpt, 553, "5.7.1 Sender address rejected", RelayRefusesUs),
        (Dot, 554, "Email address is not verified", RelayRefusesUs),
        (
            Dot,
            554,
            "Message rejected: Sending paused for this account",
            RelayRefusesUs,
        ),
        (
            Dot,
            550,
            "The from address does not match a verified Sender Identity.",
            RelayRefusesUs,
        ),
        (
            Dot,
            550,
            "5.7.1 Unconfigured Sending Domain <x>",
            RelayRefusesUs,
        ),
        (
            Dot,
            550,
            "5.4.5 Daily user sending limit exceeded",
            RelayRefusesUs,
        ),
        (
            Dot,
            550,
            "5.7.60 SMTP; Client does not have permissions to send as this sender",
            RelayRefusesUs,
        ),
        (
            Dot,
            554,
            "5.2.252 SendAsDenied; a not allowed to send as b",
            RelayRefusesUs,
        ),
        (
            Dot,
            554,
            "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException",
            RelayRefusesUs,
        ),
    ];

    for (stage, code, text, expected) in rows {
        let end = match (stage, code) {
            (Dot, 250) => End::Accepted(Reply::new(code, text)),
            _ => End::Refused(Reply::new(code, text)),
        };
        let found = verdict(stage, stage == Dot, end);

        assert_eq!(found, expected, "{code} {text} at {stage}");
    }
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
        (Dot, 550, "5.1.1 no such user", false),
        (Dot, 554, "5.6.0 content rejected", false),
    ] {
        let end = End::Refused(Reply::new(code, text));

        let found = refuses_the_address(&attempt(stage, stage == Dot, end));

        assert_eq!(found, expected, "{code} {text} at {stage}");
    }
}

#[test]
fn a_421_is_trouble_at_every_stage() {
    for stage in [Greeting, Tls, Auth, Mail, Rcpt, Data, Dot] {
        let end = End::Refused(Reply::new(421, "4.7.0 relaying denied, closing"));

        assert_eq!(verdict(stage, stage == Dot, end), RelayTrouble, "{stage}");
    }
}

#[test]
fn no_readable_answer_is_trouble_before_the_dot_and_ambiguous_after_it() {
    for stage in [Resolve, Connect, Tls, Greeting, Auth, Mail, Rcpt, Data, Dot] {
        let end = End::Failed(String::from("reset"));

        assert_eq!(verdict(stage, false, end), RelayTrouble, "{stage}");
    }
    let end = End::Failed(String::from("reset"));

    assert_eq!(verdict(Dot, true, end), Ambiguous);
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
