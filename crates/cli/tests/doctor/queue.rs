//! Mails that nobody takes, and mails that nobody can make the code of.

use domain::audit::Actor;
use domain::mail::MailKind;
use domain::operator::PauseQueue;
use domain::relay::{RelayStanding, RelayState};
use domain::vitals::ProcessKind::{Api, Worker};
use jiff::{SignedDuration, Timestamp};

use super::place::{KEY, Place};
use super::relay::Relay;

const OTHER: &str = "another example key for tests and long enough";

#[tokio::test]
async fn a_mail_that_is_due_without_a_worker_must_be_mended() {
    let place = Place::new().await;
    place
        .register(Timestamp::now() - SignedDuration::from_secs(30))
        .await;

    let said = place.doctor("").await;

    said.must_be_mended(
        "under way: 1 queued; the oldest has been due for",
        "start smart-notes-worker",
    );
}

#[tokio::test]
async fn a_mail_that_a_worker_does_not_get_to_is_worth_a_look_and_then_must_be_mended() {
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

    late.is_worth_a_look("the oldest has been due for 2 min", "smart-notes jobs list");
    too_late.must_be_mended("the oldest has been due for 7 min", "smart-notes jobs list");
}

#[tokio::test]
async fn mails_that_wait_for_a_key_nobody_has_are_counted_with_the_key() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.register(now).await;
    place.announces(Worker, &[OTHER], now).await;

    let lacking = place.doctor("").await;
    let rows = place.database().await;
    rows.vitals.depart("worker-of-a-test").await.unwrap();
    rows.close().await;
    place.announces(Worker, &[OTHER, KEY], now).await;
    let held = place.doctor("").await;

    lacking.must_be_mended(
        "1 mail waits for the key",
        "SECRET_KEY_FALLBACKS of the worker",
    );
    assert!(!held.out.contains("for the key"), "{}", held.out);
}

/// What a worker has learnt of its relay holds back mails long before they are late.
#[tokio::test]
async fn a_worker_that_sends_nothing_to_its_relay_is_told_with_the_reason() {
    let (place, now) = (Place::new().await, Timestamp::now());
    place.announces(Worker, &[KEY], now).await;
    let refuses = RelayStanding {
        relay: "relay.test:587".to_owned(),
        state: RelayState::Open,
        since: now,
        reason: Some("relay.test:587 answered at auth: 535 5.7.8 bad credentials".to_owned()),
        next_probe_at: None,
    };
    let works = RelayStanding {
        relay: "second.test:587".to_owned(),
        state: RelayState::Closed,
        reason: None,
        ..refuses.clone()
    };
    let post = async |standings: &[RelayStanding]| {
        let database = place.database().await;
        let posted = database
            .queue
            .post_relays("worker-of-a-test", standings, now);
        posted.await.unwrap();
        database.close().await;
    };

    post(&[refuses.clone(), works]).await;
    let one_works = place.doctor("").await;
    post(&[refuses.clone(), refuses]).await;
    let none_works = place.doctor("").await;

    let held = "worker-of-a-test sends nothing to relay.test:587: relay.test:587 answered at auth";
    one_works.is_worth_a_look(held, "the reason says who must act");
    none_works.must_be_mended(held, "the reason says who must act");
}

/// An operator pauses it.
async fn pause(place: &Place, kind: Option<MailKind>) {
    let database = place.database().await;
    let pause = PauseQueue {
        kind,
        reason: "the relay moves".to_owned(),
        actor: Actor::operator("ada".to_owned()),
        now: Timestamp::now(),
    };
    database.store.write(pause).await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn a_pause_is_told_with_its_end_and_no_worker_is_blamed_for_it() {
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
        pause(place, kind).await;
    }

    let young = young.doctor("").await;
    let old = old.doctor("").await;
    let of_a_kind = of_a_kind.doctor("").await;

    young.is_worth_a_look("the queue is paused since", "smart-notes jobs resume");
    old.must_be_mended("the queue is paused since", "smart-notes jobs resume");
    of_a_kind.is_worth_a_look(
        "verify_email is paused since",
        "jobs resume --kind verify_email",
    );
    for said in [&young, &old] {
        assert!(!said.out.contains("no worker gets to it"), "{}", said.out);
        assert!(said.out.contains(": the relay moves"), "{}", said.out);
    }
}

/// The settings are fixed, and the worker still runs with the old ones.
#[tokio::test]
async fn a_worker_that_runs_with_former_settings_is_to_be_restarted() {
    let (relay, now) = (Relay::plain("235 2.7.0 welcome").await, Timestamp::now());
    let url = format!("smtp://notes:a-passw0rd@{}?tls=none", relay.address);
    let place = Place::new().await.with("SMART_NOTES__SMTP__RELAYS", &url);
    place.announces(Worker, &[KEY], now).await;
    let standing = |relay: &str, state| RelayStanding {
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
    let posted = (database.queue).post_relays("worker-of-a-test", &standings, now);
    posted.await.unwrap();
    database.close().await;

    let said = place.doctor("").await;

    for words in [
        format!(
            "{} takes mail with these settings, and worker-of-a-test has sent it nothing",
            relay.address
        ),
        "worker-of-a-test sends to former.test:587, which smtp.relays does not name".to_owned(),
    ] {
        said.is_worth_a_look(&words, "systemctl restart smart-notes-worker");
    }
}

#[tokio::test]
async fn what_a_process_has_seen_is_told() {
    let (place, now) = (Place::new().await, Timestamp::now());
    let seen = Some("192.0.2.9 sends x-forwarded-for and is not among http.trusted_proxies");
    place.remarks(Api, &[KEY], now, seen).await;

    let said = place.doctor("").await;

    said.is_worth_a_look("api-of-a-test: 192.0.2.9 sends x-forwarded-for", "");
}
