//! Connections used again, and when they are not.

use std::{future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use crate::scripted::{
    Act, MESSAGE, Scripted, close, envelope, good, hasty, on, say, say_and_close, send,
};
use smart_notes_worker::smtp::{AttemptOutcome, End, Relay, RelayOptions, Stage, classify};
use tokio::{sync::Notify, task::JoinSet, time::Instant};

fn options() -> RelayOptions {
    RelayOptions::default()
}

#[tokio::test]
async fn the_next_mail_goes_over_the_same_connection_after_rset() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(options());

    let first = send(&relay).await;
    let second = send(&relay).await;

    assert_eq!((first.reused, second.reused), (false, true));
    let heard = server.heard();
    assert_eq!((heard.connections, heard.mails.len()), (1, 2));
    assert_eq!(heard.on_connection(0)[5], "RSET");
}

#[tokio::test]
async fn a_refused_recipient_does_not_cost_the_connection() {
    let server = Scripted::start([on("RCPT", say("550 5.1.1 unknown"))]).await;
    let relay = server.relay(options());

    let first = send(&relay).await;
    let second = send(&relay).await;

    assert_eq!(classify(&first), AttemptOutcome::RecipientRefused);
    assert_eq!(classify(&second), AttemptOutcome::Delivered);
    assert!(second.reused);
}

/// Postfix waits a second before each answer from the tenth error on, and hangs up at the twentieth.
#[tokio::test]
async fn a_connection_on_which_five_mails_were_refused_is_left() {
    let unknown = || say("550 5.1.1 unknown");
    let refusing = (0..5).fold(good(), |script, _| script.on("RCPT", unknown()));
    let server = Scripted::start([refusing, good()]).await;
    let relay = server.relay(options());

    for _ in 0..5 {
        assert_eq!(
            classify(&send(&relay).await),
            AttemptOutcome::RecipientRefused
        );
    }
    let next = send(&relay).await;

    assert_eq!(
        (classify(&next), next.reused),
        (AttemptOutcome::Delivered, false)
    );
    server.hears("QUIT", 1).await;
}

#[tokio::test]
async fn a_relay_in_trouble_costs_the_connection() {
    for act in [
        say("421 closing"),
        say("451 later"),
        say("550 no"),
        say("354 ?"),
        close(),
    ] {
        let server = Scripted::start([on("MAIL", act), good()]).await;
        let relay = server.relay(options());

        send(&relay).await;
        let second = send(&relay).await;

        assert_eq!(classify(&second), AttemptOutcome::Delivered);
        assert!(!second.reused);
    }
}

#[tokio::test]
async fn an_idle_connection_gone_stale_is_replaced_within_the_attempt() {
    let stale = [
        on("DOT", say_and_close("250 ok")),
        on("DOT", Act::Say(b"250 ok\r\n421 idle too long\r\n".to_vec())),
        on("DOT", Act::Say(b"250 ok\r\n221 bye\r\n".to_vec())),
        on("RSET", close()),
        on("RSET", Act::Reset),
        on("RSET", say("500 what?")),
        on("RSET", say("garbage")),
    ];
    for script in stale {
        let server = Scripted::start([script, good()]).await;
        let relay = server.relay(options());

        let first = send(&relay).await;
        let second = send(&relay).await;

        assert_eq!(classify(&first), AttemptOutcome::Delivered);
        assert_eq!(classify(&second), AttemptOutcome::Delivered);
        assert!(!second.reused);
        assert_eq!(server.heard().connections, 2);
    }
}

#[tokio::test]
async fn an_idle_connection_that_hangs_is_replaced_within_the_attempt() {
    let server = Scripted::start([on("RSET", Act::Hang), good()]).await;
    let relay = server.relay(hasty());

    send(&relay).await;
    let second = send(&relay).await;

    assert_eq!(classify(&second), AttemptOutcome::Delivered);
    assert!(!second.reused);
}

#[tokio::test]
async fn one_stray_reply_after_the_dot_never_makes_a_refusal_a_delivery() {
    let script = on("DOT", Act::Say(b"250 ok\r\n250 ok\r\n".to_vec())).on("RCPT", say("250 ok"));
    let server = Scripted::start([script.on("RCPT", say("550 5.1.1 unknown")), good()]).await;
    let relay = server.relay(options());

    send(&relay).await;
    let second = send(&relay).await;

    assert_ne!(classify(&second), AttemptOutcome::Delivered, "{second}");
    assert_eq!(server.heard().mails.len(), 1);
}

/// Runs a send until the server has heard something, and drops it there.
async fn cancelled(relay: &Relay, server: &Scripted, verb: &str) {
    tokio::select! {
        attempt = send(relay) => panic!("it ended: {attempt}"),
        () = server.hears(verb, 1) => {}
    }
}

#[tokio::test]
async fn a_cancelled_send_never_disturbs_the_next_mail() {
    for verb in ["EHLO", "MAIL", "RCPT", "DATA", "DOT"] {
        let later = Arc::new(Notify::new());
        let act = Act::SayLater(Arc::clone(&later), b"250 late\r\n".to_vec());
        let server = Scripted::start([on(verb, act), on("DOT", say("554 no"))]).await;
        let relay = server.relay(options());

        cancelled(&relay, &server, verb).await;
        later.notify_one();
        let next = send(&relay).await;

        assert_eq!(
            (next.stage, next.reused),
            (Stage::EndOfData, false),
            "{next}"
        );
        assert!(matches!(next.end, End::Refused(reply) if reply.code == 554));
        server.hears("EOF", 1).await;
    }
}

#[tokio::test]
async fn a_send_cancelled_on_a_used_connection_drops_it_too() {
    let hang_second = on("DOT", say("250 ok")).on("DOT", Act::Hang);
    let server = Scripted::start([hang_second, good()]).await;
    let relay = server.relay(options());
    send(&relay).await;

    tokio::select! {
        attempt = send(&relay) => panic!("it ended: {attempt}"),
        () = server.hears("DOT", 2) => {}
    }
    let next = send(&relay).await;

    assert_eq!(classify(&next), AttemptOutcome::Delivered);
    assert!(!next.reused);
}

#[tokio::test]
async fn a_connection_is_not_used_for_more_mails_than_allowed() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions {
        max_mails: 2,
        ..options()
    });

    let mut reused = Vec::new();
    for _ in 0..5 {
        reused.push(send(&relay).await.reused);
    }

    assert_eq!(reused, [false, true, false, true, false]);
    server.hears("QUIT", 2).await;
}

#[tokio::test]
async fn an_old_idle_connection_is_not_used_again_and_taken_leave_of() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions {
        max_idle: Duration::ZERO,
        ..options()
    });

    send(&relay).await;
    let second = send(&relay).await;

    assert!(!second.reused);
    server.hears("QUIT", 2).await;
}

#[tokio::test]
async fn a_connection_is_not_used_again_beyond_its_age() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions {
        max_age: Duration::ZERO,
        ..options()
    });

    send(&relay).await;
    let second = send(&relay).await;

    assert!(!second.reused);
    server.hears("QUIT", 2).await;
}

#[tokio::test]
async fn an_idle_connection_is_taken_leave_of_when_it_gets_too_old() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions {
        max_age: Duration::from_millis(200),
        ..options()
    });

    send(&relay).await;

    // Long before it has been idle for 8 s; no mail is sent.
    server.hears("QUIT", 1).await;
    assert_eq!(server.heard().connections, 1);
}

#[test]
fn the_limits_are_those_that_are_promised() {
    let limits = RelayOptions::default();

    assert!(limits.max_idle <= Duration::from_secs(8));
    assert!(limits.max_mails <= 100);
    assert_eq!(limits.max_age, Duration::from_mins(5));
    assert!(limits.verify && limits.ca_file.is_none());
}

#[tokio::test]
async fn each_relay_has_connections_of_its_own() {
    let (one, two) = (
        Scripted::start([good()]).await,
        Scripted::start([good()]).await,
    );
    let limited = || RelayOptions {
        max_connections: 1,
        ..options()
    };
    let (first, second) = (one.relay(limited()), two.relay(limited()));

    let _taken = first.slot(Instant::now()).await;
    let elsewhere = send(&second).await;

    assert_eq!(classify(&elsewhere), AttemptOutcome::Delivered);
}

#[tokio::test]
async fn no_more_connections_are_opened_than_allowed() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(RelayOptions {
        max_connections: 3,
        ..options()
    });

    let mut sends: JoinSet<AttemptOutcome> = JoinSet::new();
    for _ in 0..60 {
        let relay = relay.clone();
        sends.spawn(async move { classify(&send(&relay).await) });
    }
    let verdicts = sends.join_all().await;

    assert!(
        verdicts
            .iter()
            .all(|verdict| *verdict == AttemptOutcome::Delivered)
    );
    let heard = server.heard();
    assert_eq!(
        (heard.mails.len(), heard.most_open, heard.connections),
        (60, 3, 3)
    );
}

#[tokio::test]
async fn closing_takes_leave_of_idle_connections_and_keeps_none_after() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(options());
    send(&relay).await;

    relay.close().await;
    assert_eq!(server.heard().count("QUIT"), 1);
    let after = send(&relay).await;

    assert_eq!(classify(&after), AttemptOutcome::Delivered);
    assert!(!after.reused);
    server.hears("QUIT", 2).await;
}

#[tokio::test]
async fn dropping_the_relay_closes_its_connections() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(options());
    send(&relay).await;

    drop(relay);

    server.hears("EOF", 1).await;
}

#[tokio::test]
async fn a_probe_says_hello_and_sends_no_mail() {
    let server = Scripted::start([good(), on("GREETING", say("421 busy"))]).await;
    let relay = server.relay(options());

    let well = relay.probe().await;
    let sick = relay.probe().await.unwrap_err();

    assert!(well.is_ok());
    assert_eq!(classify(&sick), AttemptOutcome::RelayTrouble);
    assert_eq!(
        server.heard().on_connection(0),
        ["EHLO localhost", "QUIT", "EOF"]
    );
}

#[tokio::test]
async fn a_hanging_mark_holds_only_its_own_connection() {
    let server = Scripted::start([good()]).await;
    let relay = server.relay(options());
    let envelope = envelope();
    let mut hanging = pin!(relay.send(
        &envelope,
        MESSAGE,
        std::future::pending::<Result<(), String>>()
    ));
    std::future::poll_fn(|cx| {
        assert!(hanging.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;

    let other = send(&relay).await;

    assert_eq!(classify(&other), AttemptOutcome::Delivered);
}
