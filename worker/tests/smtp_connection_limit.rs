//! Relays that take fewer connections at once than we would open.

use std::sync::Arc;

use crate::scripted::{Act, Scripted, good, on, say_and_close, send};
use smart_notes_worker::smtp::{Attempt, AttemptOutcome, Relay, RelayOptions, Stage, classify};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// A connection on which the first mail's end is answered when told to, and nothing but "too many" on any other.
async fn one_connection() -> (Scripted, Arc<Notify>) {
    let now = Arc::new(Notify::new());
    let later = Act::SayLater(Arc::clone(&now), b"250 ok\r\n".to_vec());
    let full = on(
        "GREETING",
        say_and_close("421 4.7.0 Error: too many connections"),
    );
    (Scripted::start([on("DOT", later), full]).await, now)
}

fn sending(relay: &Relay) -> JoinHandle<Attempt> {
    let relay = relay.clone();
    tokio::spawn(async move { send(&relay).await })
}

#[tokio::test]
async fn a_mail_for_which_the_relay_takes_no_more_connections_waits_for_one_that_is_open() {
    let (server, now) = one_connection().await;
    let relay = server.relay(RelayOptions::default());

    let first = sending(&relay);
    server.hears("DOT", 1).await;
    let second = sending(&relay);
    server.hears("EOF", 1).await;
    let third = sending(&relay);
    now.notify_one();
    let [first, second, third] = [first.await, second.await, third.await].map(Result::unwrap);

    for (attempt, reused) in [(first, false), (second, true), (third, true)] {
        assert_eq!(classify(&attempt), AttemptOutcome::Delivered, "{attempt}");
        assert_eq!(attempt.reused, reused);
    }
    assert_eq!(
        server.heard().connections,
        2,
        "asked for once more, not more"
    );
}

#[tokio::test]
async fn a_connection_that_is_still_being_opened_is_waited_for_as_well() {
    let now = Arc::new(Notify::new());
    let slow = Act::SayLater(Arc::clone(&now), b"220 hello\r\n".to_vec());
    let scripts = [
        on("GREETING", slow),
        on("GREETING", say_and_close("421 too many")),
    ];
    let server = Scripted::start(scripts).await;
    let relay = server.relay(RelayOptions::default());

    let first = sending(&relay);
    server.connected(1).await;
    let second = sending(&relay);
    server.hears("EOF", 1).await;
    now.notify_one();

    assert_eq!(classify(&first.await.unwrap()), AttemptOutcome::Delivered);
    assert_eq!(classify(&second.await.unwrap()), AttemptOutcome::Delivered);
}

#[tokio::test]
async fn a_mail_that_waits_for_a_connection_opens_one_when_the_last_is_gone() {
    let now = Arc::new(Notify::new());
    let breaks = Act::SayLater(Arc::clone(&now), b"garbage\r\n".to_vec());
    let scripts = [
        on("RCPT", breaks),
        on("GREETING", say_and_close("421 too many")),
        good(),
    ];
    let server = Scripted::start(scripts).await;
    let relay = server.relay(RelayOptions::default());

    let first = sending(&relay);
    server.hears("RCPT", 1).await;
    let second = sending(&relay);
    server.hears("EOF", 1).await;
    now.notify_one();

    assert_eq!(
        classify(&first.await.unwrap()),
        AttemptOutcome::RelayTrouble
    );
    let second = second.await.unwrap();
    assert_eq!(
        (classify(&second), second.reused),
        (AttemptOutcome::Delivered, false)
    );
}

#[tokio::test]
async fn a_relay_that_takes_no_connection_at_all_is_in_trouble() {
    let full = on(
        "GREETING",
        say_and_close("421 4.7.0 Error: too many connections"),
    );
    let server = Scripted::start([full]).await;
    let relay = server.relay(RelayOptions::default());

    let mut sends: JoinSet<Attempt> = JoinSet::new();
    for _ in 0..10 {
        let relay = relay.clone();
        sends.spawn(async move { send(&relay).await });
    }

    for attempt in sends.join_all().await {
        assert_eq!(attempt.stage, Stage::Greeting);
        assert_eq!(classify(&attempt), AttemptOutcome::RelayTrouble);
    }
}
