//! Several relays over the wire: probes, the one mail after a good one, and mails that wait for a connection.

use std::sync::Arc;
use std::time::Duration;

use crate::scripted::{Act, MESSAGE, Script, Scripted, close, envelope, good, hasty, on, say};
use domain::clock::SystemClock;
use domain::id::MailId;
use domain::mail::Lane;
use domain::relay::RelayState;
use jiff::Timestamp;
use smart_notes_worker::smtp::{
    AttemptOutcome, Credentials, Permits, Relay, RelayAttempt, RelayOptions, RelaySecurity, Relays,
    classify,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_mins(1);

fn relays(relays: impl IntoIterator<Item = Relay>) -> Relays {
    Relays::new(relays.into_iter().collect(), 32, Arc::new(SystemClock))
}

async fn hand_over(relays: &Relays) -> Vec<RelayAttempt> {
    let permit = async { Ok(()) };
    relays
        .hand_over(
            MailId::generate(),
            &envelope(),
            MESSAGE,
            permit,
            Timestamp::now,
        )
        .await
}

fn trials(wanted: usize, under_way: usize) -> Permits {
    Permits::Trials { wanted, under_way }
}

fn verdicts(attempts: &[RelayAttempt]) -> Vec<AttemptOutcome> {
    attempts.iter().map(|one| classify(&one.attempt)).collect()
}

/// Waits until the relay in that place is in that state.
async fn is(relays: &Relays, place: usize, state: RelayState) {
    let mut changes = relays.changes();
    let reached = async {
        while relays.statuses()[place].state != state {
            changes.changed().await.unwrap();
        }
    };
    let came = timeout(PATIENCE, reached).await;
    assert!(came.is_ok(), "never: {}", state.as_str());
}

#[tokio::test]
async fn a_probe_greets_and_authenticates_and_then_one_mail_may_go() {
    let server = Scripted::start([on("AUTH", say("535 5.7.8 wrong")), good()]).await;
    let mut url = server.url(RelaySecurity::Plaintext);
    url.credentials = Some(Credentials {
        user: String::from("smart"),
        password: "notes".into(),
    });
    let relays = relays([Relay::new(url, RelayOptions::default()).unwrap()]);
    let refused = hand_over(&relays).await;
    let while_open = hand_over(&relays).await;
    let probing = tokio::spawn(relays.clone().probe());

    is(&relays, 0, RelayState::HalfOpen).await;
    let half_open = *relays.changes().borrow();
    let probe = server.heard();
    let delivered = hand_over(&relays).await;

    assert_eq!(verdicts(&refused), [AttemptOutcome::RelayRefusesUs]);
    assert!(while_open.is_empty());
    assert_eq!(half_open, trials(1, 0));
    assert_eq!((probe.count("AUTH"), probe.count("MAIL")), (2, 0));
    assert_eq!(verdicts(&delivered), [AttemptOutcome::Delivered]);
    assert_eq!(relays.statuses()[0].state, RelayState::Closed);
    assert_eq!(*relays.changes().borrow(), Permits::All);
    probing.abort();
}

#[tokio::test]
async fn a_probe_that_hangs_does_not_delay_the_next() {
    let sick = || on("GREETING", close());
    let scripts = [sick(), sick(), sick(), on("GREETING", Act::Hang), good()];
    let server = Scripted::start(scripts).await;
    let relays = relays([server.relay(RelayOptions::default())]);
    for _ in 0..3 {
        hand_over(&relays).await;
    }
    assert_eq!(relays.statuses()[0].state, RelayState::Open);
    let probing = tokio::spawn(relays.clone().probe());

    is(&relays, 0, RelayState::HalfOpen).await;

    // Both probes have come, and neither had to wait for the end of the first.
    let heard = server.heard();
    assert_eq!(heard.connections, 5);
    assert_eq!(heard.on_connection(3), Vec::<&str>::new());
    probing.abort();
}

#[tokio::test]
async fn a_trial_that_is_given_up_admits_another() {
    let scripts = [on("MAIL", say("550 no")), good(), on("RCPT", Act::Hang)];
    let server = Scripted::start(scripts).await;
    let relays = relays([server.relay(RelayOptions::default())]);
    hand_over(&relays).await;
    let probing = tokio::spawn(relays.clone().probe());
    is(&relays, 0, RelayState::HalfOpen).await;

    tokio::select! {
        attempts = hand_over(&relays) => panic!("it ended: {attempts:?}"),
        () = server.hears("RCPT", 1) => {}
    }

    assert_eq!(*relays.changes().borrow(), trials(1, 0));
    probing.abort();
}

#[tokio::test]
async fn only_one_mail_goes_to_a_relay_that_is_half_open() {
    let now = Arc::new(Notify::new());
    let later = Act::SayLater(Arc::clone(&now), b"250 ok\r\n".to_vec());
    let scripts = [on("MAIL", say("550 no")), good(), on("RCPT", later), good()];
    let server = Scripted::start(scripts).await;
    let relays = relays([server.relay(RelayOptions::default())]);
    hand_over(&relays).await;
    let probing = tokio::spawn(relays.clone().probe());
    is(&relays, 0, RelayState::HalfOpen).await;

    let trial = tokio::spawn({
        let relays = relays.clone();
        async move { hand_over(&relays).await }
    });
    server.hears("RCPT", 1).await;
    let meanwhile = hand_over(&relays).await;
    let held = *relays.changes().borrow();
    now.notify_one();
    let trial = trial.await.unwrap();
    let after = hand_over(&relays).await;

    assert!(meanwhile.is_empty());
    assert_eq!(held, trials(0, 1));
    assert_eq!(verdicts(&trial), [AttemptOutcome::Delivered]);
    assert_eq!(verdicts(&after), [AttemptOutcome::Delivered]);
    probing.abort();
}

/// Three that are in trouble, one that answers the probe, and one that hangs at the end of data of the trial.
fn back_but_hanging() -> [Script; 5] {
    let sick = || on("GREETING", close());
    [sick(), sick(), sick(), good(), on("DOT", Act::Hang)]
}

/// Opens the breaker, waits until a probe goes well, and has the trial hang.
async fn trial_that_hangs(relays: &Relays, server: &Scripted) -> JoinHandle<Vec<RelayAttempt>> {
    for _ in 0..3 {
        hand_over(relays).await;
    }
    is(relays, 0, RelayState::HalfOpen).await;
    let trial = tokio::spawn({
        let relays = relays.clone();
        async move { hand_over(&relays).await }
    });
    server.hears("DOT", 1).await;
    trial
}

#[tokio::test]
async fn a_trial_that_hangs_at_the_dot_keeps_no_other_mail_waiting_while_probes_go_well() {
    let scripts = [&back_but_hanging()[..], &[good()]].concat();
    let server = Scripted::start(scripts).await;
    let relays = relays([server.relay(RelayOptions::default())]);
    let probing = tokio::spawn(relays.clone().probe());
    let trial = trial_that_hangs(&relays, &server).await;
    let held = *relays.changes().borrow();

    let mut permits = relays.changes();
    let another = permits.wait_for(|permits| *permits == trials(1, 1));
    timeout(PATIENCE, another).await.unwrap().unwrap();
    let next = hand_over(&relays).await;

    assert_eq!(held, trials(0, 1));
    assert_eq!(verdicts(&next), [AttemptOutcome::Delivered]);
    assert_eq!(relays.statuses()[0].state, RelayState::Closed);
    assert!(!trial.is_finished());
    probing.abort();
}

#[tokio::test]
async fn a_trial_that_hangs_at_the_dot_is_the_only_one_while_probes_fail() {
    let scripts = [&back_but_hanging()[..], &[on("GREETING", close())]].concat();
    let server = Scripted::start(scripts).await;
    let relays = relays([server.relay(RelayOptions::default())]);
    let probing = tokio::spawn(relays.clone().probe());
    let trial = trial_that_hangs(&relays, &server).await;

    // Two probes have failed.
    server.hears("EOF", 6).await;
    let next = hand_over(&relays).await;

    assert!(next.is_empty());
    assert_eq!(*relays.changes().borrow(), trials(0, 1));
    assert!(!trial.is_finished());
    probing.abort();
}

#[tokio::test]
async fn a_mail_that_waits_for_a_connection_goes_elsewhere_when_its_relay_fails() {
    let now = Arc::new(Notify::new());
    let later = Act::SayLater(Arc::clone(&now), b"550 no\r\n".to_vec());
    let first = Scripted::start([on("MAIL", later)]).await;
    let second = Scripted::start([good()]).await;
    let one_connection = RelayOptions {
        max_connections: 1,
        ..RelayOptions::default()
    };
    let relays = relays([
        first.relay(one_connection),
        second.relay(RelayOptions::default()),
    ]);
    let send = || {
        let relays = relays.clone();
        tokio::spawn(async move { hand_over(&relays).await })
    };

    let fails = send();
    first.hears("MAIL", 1).await;
    let waits = send();
    now.notify_one();

    assert_eq!(
        verdicts(&fails.await.unwrap()),
        [AttemptOutcome::RelayRefusesUs, AttemptOutcome::Delivered]
    );
    assert_eq!(verdicts(&waits.await.unwrap()), [AttemptOutcome::Delivered]);
    assert_eq!(first.heard().connections, 1);
    assert_eq!(second.heard().mails.len(), 2);
}

#[tokio::test]
async fn a_mail_at_which_a_relay_failed_goes_to_another_first_the_next_time() {
    for fails in [on("DOT", close()), on("RCPT", say("550 5.7.26 no"))] {
        let first = Scripted::start([fails, good()]).await;
        let second = Scripted::start([good()]).await;
        let relays = relays([
            first.relay(RelayOptions::default()),
            second.relay(RelayOptions::default()),
        ]);
        let (odd, envelope) = (MailId::generate(), envelope());
        let send = |mail| {
            let permit = async { Ok(()) };
            relays.hand_over(mail, &envelope, MESSAGE, permit, Timestamp::now)
        };

        send(odd).await;
        let again = send(odd).await;
        let other = send(MailId::generate()).await;

        assert_eq!(verdicts(&again), [AttemptOutcome::Delivered]);
        assert_eq!(again[0].attempt.relay, second.address.to_string());
        assert_eq!(other[0].attempt.relay, first.address.to_string());
    }
}

#[tokio::test]
async fn once_the_mark_is_asked_for_no_other_relay_is_reached_for() {
    // It breaks off while the permit is on its way: no byte of the message was sent, but it could have been.
    let script = on("DATA", Act::SayAndClose(b"354 go on\r\n".to_vec())).on("DOT", Act::Reset);
    let first = Scripted::start([script]).await;
    let second = Scripted::start([good()]).await;
    let relays = relays([
        first.relay(RelayOptions::default()),
        second.relay(RelayOptions::default()),
    ]);
    let permit = async {
        first.hears("EOF", 1).await;
        Ok(())
    };
    let large = [&b"x".repeat(900)[..], b"\r\n"].concat().repeat(20_000);

    let attempts = relays
        .hand_over(
            MailId::generate(),
            &envelope(),
            &large,
            permit,
            Timestamp::now,
        )
        .await;

    assert_eq!(verdicts(&attempts), [AttemptOutcome::RelayTrouble]);
    assert!(!attempts[0].attempt.end_of_data_written);
    assert_eq!(second.heard().connections, 0);
}

#[tokio::test]
async fn a_mail_that_finds_no_connection_for_long_goes_back_untried() {
    let server = Scripted::start([]).await;
    let relay = server.relay(RelayOptions {
        max_connections: 1,
        ..hasty()
    });
    let hanging = relay.slot(Instant::now()).await;

    let attempts = hand_over(&relays([relay])).await;

    assert!(hanging.is_some());
    assert!(attempts.is_empty(), "{attempts:?}");
    assert_eq!(server.heard().connections, 0);
}

#[tokio::test]
async fn a_mail_at_whose_recipient_a_relay_hangs_is_not_taken_to_the_next_one() {
    let first = Scripted::start([on("RCPT", Act::Hang)]).await;
    let second = Scripted::start([good()]).await;
    let relays = Relays::new(
        [&first, &second]
            .map(|server| server.relay(RelayOptions::default()))
            .into(),
        2,
        Arc::new(SystemClock),
    );
    let stay = |lane| relays.lane().stay(lane, Duration::ZERO).unwrap();
    let (_only_place, newcomer) = (stay(Lane::Slow), stay(Lane::Main));

    let permit = async { Ok(()) };
    let (mail, envelope) = (MailId::generate(), envelope());
    let attempts = relays
        .hand_over_within(
            Some(&newcomer),
            mail,
            &envelope,
            MESSAGE,
            permit,
            Timestamp::now,
        )
        .await;

    assert_eq!(verdicts(&attempts), [AttemptOutcome::PutOff]);
    assert_eq!(second.heard().connections, 0);
    assert_eq!(relays.statuses()[0].state, RelayState::Closed);
}
