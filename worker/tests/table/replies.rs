//! What the relay says, and what each reply means at the stage at which it is said.

use smart_notes_worker::smtp::End;

use super::{
    AMBIGUOUS, DELIVERED, LATER, REFUSED, REFUSES_US, REFUSES_US_AT_A_MAIL, Row, TROUBLE, scene,
    stage_of,
};
use crate::scripted::{say, say_and_close};

/// Each of these replies at its stage is that row, is labelled and kept as it was said, and no mail is
/// taken for delivered.
async fn replies(expected: Row, rows: &[(&'static str, &str)]) {
    for (verb, line) in rows {
        let act = if line.starts_with("421") {
            say_and_close(line)
        } else {
            say(line)
        };
        let scene = scene(verb, act).await;

        let (relay_attempt, row) = scene.row().await;

        let attempt = &relay_attempt.attempt;
        assert_eq!(row, expected, "{attempt}");
        assert_eq!(attempt.stage, stage_of(verb), "{attempt}");
        match &attempt.end {
            End::Refused(reply) => assert_eq!(reply.to_string(), *line),
            other => panic!("not a refusal: {other:?}"),
        }
        assert_eq!(attempt.end_of_data_written, *verb == "DOT", "{attempt}");
        assert!(scene.server.heard().mails.is_empty(), "{attempt}");
    }
}

#[tokio::test]
async fn delivered_is_exactly_250_after_the_end_of_data() {
    let (_, row) = scene("DOT", say("250 2.0.0 queued as 4F2"))
        .await
        .row()
        .await;

    assert_eq!(row, DELIVERED);
}

#[tokio::test]
async fn a_recipient_or_a_content_that_is_refused() {
    let rows = [
        ("RCPT", "550 5.1.1 no such user"),
        ("RCPT", "550 unknown"),
        ("RCPT", "550 5.1.10 null MX"),
        ("RCPT", "550 5.2.1 disabled"),
        ("RCPT", "551 not here"),
        ("RCPT", "553 5.1.3 syntax"),
        ("RCPT", "552 5.2.2 mailbox full"),
        ("RCPT", "554 5.1.2 bad domain"),
        ("RCPT", "554 5.7.1 rejected by policy"),
        ("RCPT", "550 5.1.1 mx said: relaying denied"),
        ("DATA", "554 no valid recipients"),
        ("DOT", "552 5.2.2 full"),
        ("DOT", "552 5.3.4 too big"),
        ("DOT", "554 5.6.0 content"),
        ("DOT", "554 5.2.1 mailbox"),
        ("DOT", "550 5.7.1 looks like spam"),
    ];
    replies(REFUSED, &rows).await;
}

#[tokio::test]
async fn a_recipient_that_is_refused_for_now() {
    let rows = [
        ("RCPT", "450 mailbox busy"),
        ("RCPT", "450 4.2.0 greylisted"),
        ("RCPT", "450 4.2.1 over its rate"),
        ("RCPT", "450 4.7.1 Client host rejected: greylisted"),
        ("RCPT", "451 4.3.0 later"),
        ("RCPT", "451 4.7.1 greylisted"),
        ("RCPT", "452 4.2.2 full"),
        ("DATA", "451 4.3.0 later"),
        ("DOT", "450 4.2.0 greylisted"),
        ("DOT", "451 4.3.0 later"),
        ("DOT", "452 4.3.1 no space"),
        ("DOT", "454 4.3.0 later"),
    ];
    replies(LATER, &rows).await;
}

#[tokio::test]
async fn a_relay_in_trouble() {
    let rows = [
        ("GREETING", "554 no service"),
        ("GREETING", "450 busy"),
        ("EHLO", "554 go away"),
        ("EHLO", "502 what?"),
        ("EHLO", "450 later"),
        ("STARTTLS", "454 TLS not available"),
        ("AUTH", "454 4.7.0 later"),
        ("MAIL", "450 later"),
        ("MAIL", "451 4.3.0 later"),
        ("MAIL", "452 4.3.1 no space"),
        ("MAIL", "454 4.7.0 throttled"),
        ("MAIL", "550 you are throttled"),
        ("RCPT", "450 4.7.0 throttled"),
        ("RCPT", "503 5.5.1 bad sequence"),
        ("DATA", "451 4.7.0 Throttling"),
        ("DOT", "454 Throttling failure: maximum rate exceeded"),
        // Positive, but not what the stage needs.
        ("AUTH", "250 ok"),
        ("MAIL", "354 go on"),
        ("RCPT", "354 go on"),
        ("DATA", "250 ok"),
    ];
    replies(TROUBLE, &rows).await;
}

#[tokio::test]
async fn a_421_is_trouble_wherever_it_comes() {
    let rows = [
        "GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "DOT",
    ]
    .map(|verb| (verb, "421 4.3.2 relaying denied, closing"));
    replies(TROUBLE, &rows).await;
}

#[tokio::test]
async fn a_relay_that_refuses_us() {
    let rows = [
        ("STARTTLS", "502 not implemented"),
        ("STARTTLS", "501 no"),
        ("AUTH", "535 5.7.8 wrong"),
        ("AUTH", "534 5.7.9 too weak"),
        ("AUTH", "530 5.7.0 STARTTLS first"),
        ("MAIL", "530 5.7.0 authenticate"),
        ("MAIL", "550 5.7.1 sender"),
        ("MAIL", "553 5.1.8 sender's domain not found"),
        ("MAIL", "554 5.7.1 Relay access denied"),
    ];
    replies(REFUSES_US, &rows).await;
}

#[tokio::test]
async fn a_relay_that_refuses_us_only_when_it_knows_the_mail() {
    let rows = [
        ("RCPT", "530 5.7.0 authenticate"),
        ("RCPT", "554 5.7.1 Relay access denied"),
        ("RCPT", "454 4.7.1 Relay access denied"),
        ("RCPT", "550 relaying denied"),
        ("RCPT", "550 5.7.26 unauthenticated"),
        ("RCPT", "550 5.7.515 denied"),
        ("DATA", "550 5.7.26 unauthenticated"),
        ("DOT", "550 5.7.26 unauthenticated"),
        ("DOT", "550 5.7.515 denied"),
        ("DOT", "554 Email address is not verified"),
    ];
    replies(REFUSES_US_AT_A_MAIL, &rows).await;
}

#[tokio::test]
async fn a_positive_reply_to_the_dot_other_than_250() {
    let rows = [
        ("DOT", "251 will forward"),
        ("DOT", "252 maybe"),
        ("DOT", "220 hello"),
        ("DOT", "354 go on"),
    ];
    replies(AMBIGUOUS, &rows).await;
}
