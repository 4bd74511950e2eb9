//! Every row of the outcome table, over the wire.

mod scripted;

use scripted::{MESSAGE, Marks, Scripted, envelope, good, on, say, say_and_close, send, try_with};
use smart_notes_worker::smtp::{End, Mark, RelayOptions, Reply, Stage, Verdict, classify};

fn refusal(end: &End) -> &Reply {
    match end {
        End::Refused(reply) => reply,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[tokio::test]
async fn a_250_to_the_dot_is_delivered_with_its_text() {
    let (attempt, heard) = try_with(on("DOT", say("250 2.0.0 queued as 4F2"))).await;

    assert_eq!(classify(&attempt), Verdict::Delivered);
    assert_eq!(
        attempt.end,
        End::Accepted(Reply::new(250, "2.0.0 queued as 4F2"))
    );
    assert_eq!(attempt.stage, Stage::Dot);
    assert!(attempt.dot_written && !attempt.reused);
    assert_eq!(heard.mails, ["Subject: hello\r\n\r\nHello\r\n.dot\r\n\r\n"]);
    assert_eq!(
        heard.on_connection(0),
        [
            "EHLO localhost",
            "MAIL FROM:<no-reply@example.com>",
            "RCPT TO:<someone@example.test>",
            "DATA",
            "DOT"
        ]
    );
}

/// Each of these replies at its stage is labelled, judged so, and never kept as a mail.
async fn all(verdict: Verdict, rows: &[(&'static str, &str)]) {
    for (verb, line) in rows {
        let act = if line.starts_with("421") {
            say_and_close(line)
        } else {
            say(line)
        };
        let (attempt, heard) = try_with(on(verb, act)).await;

        let stage = match *verb {
            "GREETING" | "EHLO" => Stage::Greeting,
            "MAIL" => Stage::Mail,
            "RCPT" => Stage::Rcpt,
            "DATA" => Stage::Data,
            "DOT" => Stage::Dot,
            other => panic!("no stage for {other}"),
        };
        assert_eq!(attempt.stage, stage, "{attempt}");
        assert_eq!(refusal(&attempt.end).to_string(), *line, "{attempt}");
        assert_eq!(classify(&attempt), verdict, "{attempt}");
        assert_eq!(attempt.dot_written, stage == Stage::Dot, "{attempt}");
        assert!(heard.mails.is_empty(), "{attempt}");
    }
}

#[tokio::test]
async fn refusals_of_the_recipient_or_the_content_are_final() {
    let rows = [
        ("RCPT", "550 5.1.1 no such user"),
        ("RCPT", "550 5.2.1 disabled"),
        ("RCPT", "550 unknown"),
        ("RCPT", "551 not here"),
        ("RCPT", "553 5.1.3 syntax"),
        ("DOT", "552 5.2.2 full"),
        ("DOT", "554 5.6.0 content"),
    ];
    all(Verdict::RecipientRefused, &rows).await;
}

#[tokio::test]
async fn refusals_for_now_leave_the_relay_healthy() {
    let rows = [
        ("RCPT", "450 4.2.0 greylisted"),
        ("RCPT", "451 4.3.0 later"),
        ("RCPT", "452 4.2.2 full"),
        ("DATA", "451 4.3.0 later"),
        ("DOT", "450 4.2.0 greylisted"),
        ("DOT", "451 4.3.0 later"),
        ("DOT", "452 4.3.1 no space"),
    ];
    all(Verdict::RecipientLater, &rows).await;
}

#[tokio::test]
async fn a_relay_in_trouble_is_told_from_its_recipients() {
    let rows = [
        ("GREETING", "554 no service"),
        ("EHLO", "554 go away"),
        ("EHLO", "450 later"),
        ("GREETING", "421 4.3.2 busy"),
        ("EHLO", "421 4.3.2 busy"),
        ("MAIL", "421 4.3.2 busy"),
        ("RCPT", "421 4.3.2 busy"),
        ("DATA", "421 4.3.2 busy"),
        ("DOT", "421 4.3.2 busy"),
        ("MAIL", "451 4.3.0 later"),
        ("RCPT", "450 4.7.0 throttled"),
        ("DOT", "454 Throttling failure: maximum rate exceeded"),
        // Positive, but not what the stage needs.
        ("MAIL", "354 go on"),
        ("RCPT", "354 go on"),
        ("DATA", "250 ok"),
    ];
    all(Verdict::RelayTrouble, &rows).await;
}

#[tokio::test]
async fn a_relay_that_refuses_us_is_told_from_one_in_trouble() {
    let rows = [
        ("MAIL", "550 5.7.1 sender"),
        ("MAIL", "530 5.7.0 authenticate"),
        ("RCPT", "554 5.7.1 Relay access denied"),
        ("RCPT", "550 relaying denied"),
        ("DOT", "550 5.7.26 unauthenticated"),
        ("DOT", "550 5.7.515 denied"),
    ];
    all(Verdict::RelayRefusesUs, &rows).await;
}

#[tokio::test]
async fn a_positive_reply_to_the_dot_other_than_250_is_ambiguous() {
    let rows = [
        ("DOT", "251 will forward"),
        ("DOT", "220 hello"),
        ("DOT", "354 go on"),
    ];
    all(Verdict::Ambiguous, &rows).await;
}

#[tokio::test]
async fn all_lines_of_a_refusal_are_kept_and_its_address_masked() {
    let lines = "550-5.1.1 <someone@example.test>\r\n550-5.1.1 is not known here;\r\n550 5.1.1 bye";

    let (attempt, _) = try_with(on("RCPT", say(lines))).await;

    let reply = refusal(&attempt.end);
    assert_eq!(reply.enhanced.as_deref(), Some("5.1.1"));
    assert_eq!(reply.text, "5.1.1 <s…@example.test> is not known here; bye");
    assert_eq!(
        attempt.to_string(),
        format!(
            "{} answered at rcpt: 550 5.1.1 <s…@example.test> is not known here; bye",
            attempt.relay
        )
    );
}

#[tokio::test]
async fn a_reply_that_is_not_utf8_still_counts_by_its_code() {
    let latin1 = |text: &[u8]| scripted::Act::Say([text, b"\r\n"].concat());

    let (refused, _) = try_with(on("RCPT", latin1(b"550 5.1.1 Bo\xeete inconnue"))).await;
    let (accepted, heard) = try_with(on("DOT", latin1(b"250 accept\xe9"))).await;

    assert_eq!(refusal(&refused.end).text, "5.1.1 Bo?te inconnue");
    assert_eq!(classify(&accepted), Verdict::Delivered);
    assert_eq!(heard.mails.len(), 1);
}

#[tokio::test]
async fn the_mark_is_awaited_once_after_the_354_and_before_the_message() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions::default());
    let mark = async {
        server.hears("DATA", 1).await;
        assert_eq!(server.heard().count("DOT"), 0);
        Mark::Go
    };

    let attempt = relay.send(&envelope(), MESSAGE, mark).await;

    assert_eq!(classify(&attempt), Verdict::Delivered);
}

#[tokio::test]
async fn a_mark_is_not_awaited_when_the_relay_refuses_before_the_message() {
    let marks = Marks::default();
    for stage in ["MAIL", "RCPT", "DATA"] {
        let server = Scripted::start([on(stage, say("450 later"))]).await;
        let relay = server.relay(RelayOptions::default());

        relay.send(&envelope(), MESSAGE, marks.clone().go()).await;
    }

    assert_eq!(marks.count(), 0);
}

#[tokio::test]
async fn a_mark_that_says_stop_ends_the_try_without_a_dot() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions::default());
    let stop = async { Mark::Stop(String::from("taken over")) };

    let attempt = relay.send(&envelope(), MESSAGE, stop).await;
    server.hears("EOF", 1).await;
    let next = send(&relay).await;

    assert_eq!(attempt.end, End::Stopped(String::from("taken over")));
    assert_eq!((attempt.stage, attempt.dot_written), (Stage::Data, false));
    assert_eq!(classify(&attempt), Verdict::Stopped);
    assert!(!next.reused);
    let heard = server.heard();
    assert_eq!((heard.mails.len(), heard.count("DOT")), (1, 1));
}
