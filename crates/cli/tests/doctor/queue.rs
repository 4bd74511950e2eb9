//! Mails that nobody takes, and mails that nobody can make the code of.

use domain::relay::{RelayStanding, RelayState};
use domain::vitals::ProcessKind::{Api, Worker};
use jiff::{SignedDuration, Timestamp};

use crate::place::{KEY, Place};

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
