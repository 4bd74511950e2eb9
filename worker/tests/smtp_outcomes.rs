//! What is kept of an attempt, and when the permit is asked for. The outcomes themselves are in `smtp_table.rs`.

use crate::scripted::{
    MESSAGE, PermitRequests, Scripted, attempt_with, envelope, good, on, say, send,
};
use smart_notes_worker::smtp::{AttemptOutcome, End, RelayOptions, Reply, Stage, classify};

fn refusal(end: &End) -> &Reply {
    match end {
        End::Refused(reply) => reply,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[tokio::test]
async fn a_250_to_the_dot_is_delivered_with_its_text() {
    let (attempt, heard) = attempt_with(on("DOT", say("250 2.0.0 queued as 4F2"))).await;

    assert_eq!(classify(&attempt), AttemptOutcome::Delivered);
    assert_eq!(
        attempt.end,
        End::Accepted(Reply::new(250, "2.0.0 queued as 4F2"))
    );
    assert_eq!(attempt.stage, Stage::EndOfData);
    assert!(attempt.end_of_data_written && !attempt.reused);
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

#[tokio::test]
async fn all_lines_of_a_refusal_are_kept_and_its_address_masked() {
    let lines = "550-5.1.1 <someone@example.test>\r\n550-5.1.1 is not known here;\r\n550 5.1.1 bye";

    let (attempt, _) = attempt_with(on("RCPT", say(lines))).await;

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
    let latin1 = |text: &[u8]| crate::scripted::Act::Say([text, b"\r\n"].concat());

    let (refused, _) = attempt_with(on("RCPT", latin1(b"550 5.1.1 Bo\xeete inconnue"))).await;
    let (accepted, heard) = attempt_with(on("DOT", latin1(b"250 accept\xe9"))).await;

    assert_eq!(refusal(&refused.end).text, "5.1.1 Bo?te inconnue");
    assert_eq!(classify(&accepted), AttemptOutcome::Delivered);
    assert_eq!(heard.mails.len(), 1);
}

#[tokio::test]
async fn the_mark_is_awaited_once_after_the_354_and_before_the_message() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions::default());
    let permit = async {
        server.hears("DATA", 1).await;
        assert_eq!(server.heard().count("DOT"), 0);
        Ok(())
    };

    let attempt = relay.send(&envelope(), MESSAGE, permit).await;

    assert_eq!(classify(&attempt), AttemptOutcome::Delivered);
}

#[tokio::test]
async fn a_mark_is_not_awaited_when_the_relay_refuses_before_the_message() {
    let requests = PermitRequests::default();
    for stage in ["MAIL", "RCPT", "DATA"] {
        let server = Scripted::start([on(stage, say("450 later"))]).await;
        let relay = server.relay(RelayOptions::default());

        relay
            .send(&envelope(), MESSAGE, requests.clone().go())
            .await;
    }

    assert_eq!(requests.count(), 0);
}

#[tokio::test]
async fn a_refused_permit_ends_the_attempt_without_an_end_of_data() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions::default());
    let stop = async { Err(String::from("taken over")) };

    let attempt = relay.send(&envelope(), MESSAGE, stop).await;
    server.hears("EOF", 1).await;
    let next = send(&relay).await;

    assert_eq!(attempt.end, End::Stopped(String::from("taken over")));
    assert_eq!(
        (attempt.stage, attempt.end_of_data_written),
        (Stage::Data, false)
    );
    assert_eq!(classify(&attempt), AttemptOutcome::Stopped);
    assert!(!next.reused);
    let heard = server.heard();
    assert_eq!((heard.mails.len(), heard.count("DOT")), (1, 1));
}
