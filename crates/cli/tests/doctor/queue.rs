//! Mails that nobody takes, and mails that nobody can make the code of.

use domain::audit::Actor;
use domain::mail::MailKind;
use domain::operator::PauseQueue;
use domain::processes::ProcessKind::{Api, Worker};
use domain::processes::{DeregisterProcess, PostRelays};
use domain::relay::{RelayState, RelayStatus};
use jiff::{SignedDuration, Timestamp};

use super::place::{KEY, Place};
use super::relay::Relay;

const OTHER: &str = "another example key for tests and long enough";

#[tokio::test]
async fn a_mail_that_is_due_without_a_worker_is_a_problem() {
    let place = Place::new().await;
    place
        .register(Timestamp::now() - SignedDuration::from_secs(30))
        .await;

    let said = place.doctor("").await;

    said.is_a_problem(
        "pending: 1 queued; the oldest has been due for",
        "start smart-notes-worker",
    );
}

#[tokio::test]
async fn a_late_mail_is_a_warning_and_then_a_problem() {
    let (late, too_late) = (Place::new().await, Place::new().await);
    for (place, minutes) in [(&late, 2), (&too_late, 7)] {
        let now = Timestamp::now();
        place
            .register(now - SignedDuration::from_mins(minutes))
            .await;
        place.announces(Worker, &[KEY], now).await;
        place.announces(Api, &[KEY], now).await;
    }

    let late = late.doctor("").await;
    let too_late = too_late.doctor("").await;

    late.is_a_warning("the oldest has been due for 2 min", "smart-notes jobs list");
    too_late.is_a_problem("the oldest has been due for 7 min", "smart-notes jobs list");
}

#[tokio::test]
async fn mails_that_wait_for_a_key_that_no_worker_has_are_counted_by_key() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.register(now).await;
    place.announces(Worker, &[OTHER], now).await;

    let lacking = place.doctor("").await;
    let rows = place.database().await;
    let gone = DeregisterProcess("worker-of-a-test".to_owned());
    rows.store.write(gone).await.unwrap();
    rows.close().await;
    place.announces(Worker, &[OTHER, KEY], now).await;
    let held = place.doctor("").await;

    lacking.is_a_problem(
        "1 mail waits for the key",
        "SECRET_KEY_FALLBACKS of the worker",
    );
    assert!(!held.out.contains("for the key"), "{}", held.out);
}

/// What a worker has learnt of its relay holds back mails long before they are late.
#[tokio::test]
async fn a_worker_that_sends_nothing_to_its_relay_is_reported_with_the_reason() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.announces(Worker, &[KEY], now).await;
    let refuses = RelayStatus {
        relay: "relay.test:587".to_owned(),
        state: RelayState::Open,
        since: now,
        reason: Some("relay.test:587 answered at auth: 535 5.7.8 bad credentials".to_owned()),
        next_probe_at: None,
    };
    let works = RelayStatus {
        relay: "second.test:587".to_owned(),
        state: RelayState::Closed,
        reason: None,
        ..refuses.clone()
    };
    let post = async |statuses: &[RelayStatus]| {
        let database = place.database().await;
        let post = PostRelays {
            worker: "worker-of-a-test".to_owned(),
            statuses: statuses.to_vec(),
            now,
        };
        database.store.write(post).await.unwrap();
        database.close().await;
    };

    post(&[refuses.clone(), works]).await;
    let one_works = place.doctor("").await;
    post(&[refuses.clone(), refuses]).await;
    let none_works = place.doctor("").await;

    let held = "worker-of-a-test sends nothing to relay.test:587: relay.test:587 answered at auth";
    one_works.is_a_warning(held, "fix what the reason names");
    none_works.is_a_problem(held, "fix what the reason names");
}

/// An operator paused it then.
async fn pause(place: &Place, kind: Option<MailKind>, at: Timestamp) {
    let database = place.database().await;
    let pause = PauseQueue {
        kind,
        reason: "the relay moves".to_owned(),
        actor: Actor::operator("ada".to_owned()),
        now: at,
    };
    database.store.write(pause).await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn a_pause_is_reported_with_the_command_that_ends_it_and_no_worker_is_blamed() {
    let (young, old, of_a_kind) = (Place::new().await, Place::new().await, Place::new().await);
    for (place, minutes, kind) in [
        (&young, 2, None),
        (&old, 7, None),
        (&of_a_kind, 0, Some(MailKind::VerifyEmail)),
    ] {
        let now = Timestamp::now();
        place
            .register(now - SignedDuration::from_mins(minutes))
            .await;
        place.announces(Worker, &[KEY], now).await;
        place.announces(Api, &[KEY], now).await;
        pause(place, kind, now).await;
    }

    let young = young.doctor("").await;
    let old = old.doctor("").await;
    let of_a_kind = of_a_kind.doctor("").await;

    young.is_a_warning("the queue has been paused since", "smart-notes jobs resume");
    old.is_a_problem("the queue has been paused since", "smart-notes jobs resume");
    of_a_kind.is_a_warning(
        "verify_email has been paused since",
        "jobs resume --kind verify_email",
    );
    for said in [&young, &old] {
        assert!(!said.out.contains("no worker claims it"), "{}", said.out);
        assert!(said.out.contains(": the relay moves"), "{}", said.out);
    }
}

/// A pause of a kind delays no other mail, so that it is easily forgotten.
#[tokio::test]
async fn a_pause_older_than_a_day_is_a_problem() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.announces(Worker, &[KEY], now).await;
    place.announces(Api, &[KEY], now).await;
    let yesterday = now - SignedDuration::from_hours(25);
    pause(&place, Some(MailKind::LogIn), yesterday).await;

    let said = place.doctor("").await;

    said.is_a_problem(
        "log_in has been paused since",
        "smart-notes jobs resume --kind log_in",
    );
}

/// The settings are fixed, and the worker still runs with the old ones.
#[tokio::test]
async fn a_worker_that_runs_with_former_settings_is_to_be_restarted() {
    let (relay, now) = (Relay::plain("235 2.7.0 welcome").await, Timestamp::now());
    let url = format!("smtp://notes:a-passw0rd@{}?tls=none", relay.address);
    let place = Place::new().await.with("SMART_NOTES__SMTP__RELAYS", &url);
    place.announces(Worker, &[KEY], now).await;
    let standing = |relay: &str, state| RelayStatus {
        relay: relay.to_owned(),
        state,
        since: now,
        reason: None,
        next_probe_at: None,
    };
    let database = place.database().await;
    let standings = [
        standing(&relay.address.to_string(), RelayState::Open),
        standing("former.test:587", RelayState::Closed),
    ];
    let post = PostRelays {
        worker: "worker-of-a-test".to_owned(),
        statuses: standings.into(),
        now,
    };
    database.store.write(post).await.unwrap();
    database.close().await;

    let said = place.doctor("").await;

    for words in [
        format!(
            "{} accepts mail with these settings, but worker-of-a-test has sent nothing to it",
            relay.address
        ),
        "worker-of-a-test sends to former.test:587, which is not in smtp.relays".to_owned(),
    ] {
        said.is_a_warning(&words, "systemctl restart smart-notes-worker");
    }
}

#[tokio::test]
async fn the_remark_of_a_process_is_a_warning() {
    let (place, now) = (Place::new().await, Timestamp::now());
    let seen = Some("192.0.2.9 sends x-forwarded-for and is not among http.trusted_proxies");
    place.remarks(Api, &[KEY], now, seen).await;

    let said = place.doctor("").await;

    said.is_a_warning("api-of-a-test: 192.0.2.9 sends x-forwarded-for", "");
}
