//! Relays that hang, break off, talk garbage or never stop: each ends as a labelled try.

use std::net::SocketAddr;

use crate::scripted::{
    Act, Script, Scripted, attempt_with, close, good, hasty, hasty_try_with, on, say, send,
};
use smart_notes_worker::smtp::{
    Attempt, AttemptOutcome, End, Relay, RelayOptions, RelaySecurity, RelayUrl, Stage, classify,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

const STAGES: [(&str, Stage); 6] = [
    ("GREETING", Stage::Greeting),
    ("EHLO", Stage::Greeting),
    ("MAIL", Stage::Mail),
    ("RCPT", Stage::Rcpt),
    ("DATA", Stage::Data),
    ("DOT", Stage::EndOfData),
];

fn failure(attempt: &Attempt) -> &str {
    match &attempt.end {
        End::Failed(why) => why,
        other => panic!("not a failure: {other:?}"),
    }
}

/// After the end of data the result is uncertain; before it, the relay is in trouble.
fn check(attempt: &Attempt, stage: Stage) {
    let end_of_data = stage == Stage::EndOfData;
    let verdict = if end_of_data {
        AttemptOutcome::Uncertain
    } else {
        AttemptOutcome::RelayTrouble
    };
    assert_eq!(
        (attempt.stage, attempt.end_of_data_written),
        (stage, end_of_data),
        "{attempt}"
    );
    assert_eq!(classify(attempt), verdict, "{attempt}");
}

fn url(address: SocketAddr) -> RelayUrl {
    RelayUrl {
        host: address.ip().to_string(),
        port: address.port(),
        security: RelaySecurity::Plaintext,
        credentials: None,
    }
}

#[tokio::test]
async fn a_hang_at_any_stage_ends_in_its_time_with_its_label() {
    let mut tries: JoinSet<_> = STAGES
        .into_iter()
        .map(|(verb, stage)| async move { (hasty_try_with(on(verb, Act::Hang)).await.0, stage) })
        .collect();

    while let Some(ended) = tries.join_next().await {
        let (attempt, stage) = ended.unwrap();

        check(&attempt, stage);
        assert_eq!(failure(&attempt), "no answer within 500ms");
    }
}

#[tokio::test]
async fn a_close_at_any_stage_is_labelled() {
    for (verb, stage) in STAGES {
        let (attempt, _) = attempt_with(on(verb, close())).await;

        check(&attempt, stage);
        assert!(failure(&attempt).contains("connection"), "{attempt}");
    }
}

#[tokio::test]
async fn a_reset_at_any_stage_is_labelled() {
    for (verb, stage) in STAGES {
        let (attempt, _) = attempt_with(on(verb, Act::Reset)).await;

        check(&attempt, stage);
        assert!(failure(&attempt).contains("connection"), "{attempt}");
    }
}

#[tokio::test]
async fn garbage_at_any_stage_is_labelled_and_shown() {
    for (verb, stage) in STAGES {
        let (attempt, _) = attempt_with(on(verb, say("HTTP/1.1 for someone@example.test"))).await;

        check(&attempt, stage);
        let shown = "unreadable reply: HTTP/1.1 for s…@example.test";
        assert_eq!(failure(&attempt), shown);
    }
}

#[tokio::test]
async fn half_a_reply_at_any_stage_is_no_reply() {
    for (verb, stage) in STAGES {
        for half in ["2", "250", "250 o", "250-first\r\n", "250-first\r\n25"] {
            let (attempt, _) = attempt_with(on(verb, Act::SayAndClose(half.into()))).await;

            check(&attempt, stage);
            assert!(
                failure(&attempt).contains("connection was closed"),
                "{attempt}"
            );
        }
    }
}

#[tokio::test]
async fn half_a_reply_and_then_a_hang_ends_in_time() {
    let half = || Act::Say(b"250-well".to_vec());
    let mut tries: JoinSet<_> = STAGES
        .into_iter()
        .map(|(verb, stage)| async move { (hasty_try_with(on(verb, half())).await.0, stage) })
        .collect();

    while let Some(ended) = tries.join_next().await {
        let (attempt, stage) = ended.unwrap();

        check(&attempt, stage);
    }
}

#[tokio::test]
async fn a_relay_that_never_stops_talking_is_cut_off() {
    let endless = [
        &b"220-hello\r\n"[..],
        b"x",
        b"\r\n",
        b"220 hi\r\n",
        b"\0\xff",
    ];
    for text in endless {
        for (verb, stage) in STAGES {
            let (attempt, _) = attempt_with(on(verb, Act::SayWithoutEnd(text.to_vec()))).await;

            // A reply that is repeated without end may be believed up to the next stage.
            if text != b"220 hi\r\n" {
                check(&attempt, stage);
            }
            assert!(!matches!(attempt.end, End::Accepted(_)), "{attempt}");
        }
    }
}

#[tokio::test]
async fn one_reply_too_many_is_never_taken_for_a_delivery() {
    let twice = || Act::Say(b"250 ok\r\n250 ok\r\n".to_vec());
    for verb in ["EHLO", "MAIL", "RCPT"] {
        let (attempt, heard) = attempt_with(on(verb, twice()).on("DOT", say("554 no"))).await;

        assert_eq!(
            classify(&attempt),
            AttemptOutcome::RelayTrouble,
            "{attempt}"
        );
        assert_eq!(attempt.stage, Stage::Data);
        assert!(heard.mails.is_empty() && !attempt.end_of_data_written);
    }
}

#[tokio::test]
async fn different_codes_in_one_reply_are_unreadable() {
    let (attempt, _) = attempt_with(on("DOT", say("250-ok\r\n554 no"))).await;

    check(&attempt, Stage::EndOfData);
}

#[tokio::test]
async fn a_code_outside_the_grammar_after_the_dot_is_ambiguous() {
    let (attempt, _) = attempt_with(on("DOT", say("299 fine"))).await;

    check(&attempt, Stage::EndOfData);
    assert_eq!(failure(&attempt), "unreadable reply: 99 fine");
}

#[tokio::test]
async fn a_connection_cut_while_the_message_is_sent_counts_by_what_was_written() {
    // Closed by RST right after the 354, before the permit is given: the write must fail.
    let script = on("DATA", Act::SayAndClose(b"354 go on\r\n".to_vec())).on("DOT", Act::Reset);
    let server = Scripted::start([script]).await;
    let relay = server.relay(RelayOptions::default());
    let permit = async {
        server.hears("EOF", 1).await;
        Ok(())
    };
    let large = [&b"x".repeat(900)[..], b"\r\n"].concat().repeat(20_000);

    let attempt = relay
        .send(&crate::scripted::envelope(), &large, permit)
        .await;

    assert_eq!(
        (attempt.stage, attempt.end_of_data_written),
        (Stage::EndOfData, false),
        "{attempt}"
    );
    assert_eq!(
        classify(&attempt),
        AttemptOutcome::RelayTrouble,
        "{attempt}"
    );
}

#[tokio::test]
async fn a_try_as_a_whole_has_its_limit() {
    let server = Scripted::start([on("DATA", Act::Hang)]).await;
    let mut options = RelayOptions::default();
    options.timeouts.whole_try = std::time::Duration::from_millis(500);

    let attempt = send(&server.relay(options)).await;

    check(&attempt, Stage::Data);
}

#[tokio::test]
async fn a_refused_connection_is_labelled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    let attempt = send(&Relay::new(url(address), RelayOptions::default()).unwrap()).await;

    check(&attempt, Stage::Connect);
    let told = attempt.to_string();
    assert_eq!(told.matches(&address.to_string()).count(), 1, "{told}");
}

#[tokio::test]
async fn a_connection_that_is_never_answered_is_labelled() {
    // A queue for one, and one in it: the system drops what else knocks.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _first = TcpStream::connect(address).await.unwrap();

    let attempt = send(&Relay::new(url(address), hasty()).unwrap()).await;

    check(&attempt, Stage::Connect);
    assert!(failure(&attempt).contains("no answer within"), "{attempt}");
}

#[tokio::test]
async fn a_name_without_an_address_is_labelled() {
    let nowhere = RelayUrl {
        host: String::from("relay.invalid"),
        port: 25,
        security: RelaySecurity::Plaintext,
        credentials: None,
    };

    let attempt = send(&Relay::new(nowhere, hasty()).unwrap()).await;

    check(&attempt, Stage::Resolve);
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    let server = Scripted::start([good()]).await;
    let mut url = server.url(RelaySecurity::Plaintext);
    url.host = String::from("localhost");

    let attempt = send(&Relay::new(url, RelayOptions::default()).unwrap()).await;

    assert_eq!(classify(&attempt), AttemptOutcome::Delivered, "{attempt}");
}

#[tokio::test]
async fn a_refused_hello_is_told_at_once_even_if_the_goodbye_hangs() {
    let script: Script = on("EHLO", say("554 go away")).on("QUIT", Act::Hang);

    let (attempt, heard) = attempt_with(script).await;

    assert!(
        attempt
            .to_string()
            .ends_with("answered at greeting: 554 go away"),
        "{attempt}"
    );
    assert_eq!(heard.count("QUIT"), 0);
}
