//! A relay that is out of order: the queue is held, nothing is lost or counted, and mails flow when it is back.

use std::time::Duration;

use devmail::{Fault, Stage};
use domain::id::MailId;
use domain::relay::{PostedRelayStatus, RelayState, held_by};

use crate::harness::{Harness, outcomes, until};

const ADA: &str = "ada@example.com";

/// One attempt at a time, so that it is known how many are made. A mail may be claimed ahead meanwhile; it waits for
/// the connection of the one before it.
const ONE_HAND: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__CONCURRENCY", "1"),
    ("SMART_NOTES__SMTP__MAX_CONNECTIONS", "1"),
];

async fn register(harness: &Harness, count: usize) -> Vec<MailId> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(harness.register(&format!("ada{n}@example.com")).await);
    }
    ids
}

async fn posted(harness: &Harness) -> Option<PostedRelayStatus> {
    let mut reader = harness.database.store.reader().await.unwrap();
    let posted = reader.posted_relays().await.unwrap();
    posted.into_iter().next()
}

/// Waits until the worker has said that of its relay, and returns what it said.
async fn is_posted(harness: &Harness, state: RelayState) -> PostedRelayStatus {
    let mut found = None;
    until(state.as_str(), async || {
        found = posted(harness)
            .await
            .filter(|posted| posted.status.state == state);
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// Waits until so many more probes have been planned.
async fn probes(harness: &Harness, count: usize) {
    for _ in 0..count {
        let before = posted(harness)
            .await
            .map(|posted| posted.status.next_probe_at);
        until("another probe", async || {
            posted(harness)
                .await
                .map(|posted| posted.status.next_probe_at)
                != before
        })
        .await;
    }
}

/// The attempts on record once no mail is in flight.
async fn attempts(harness: &Harness) -> i64 {
    harness.rests().await;
    harness.attempts(harness.catcher.smtp_addr()).await
}

async fn all_were_delivered(harness: &Harness, ids: &[MailId]) {
    for id in ids {
        assert_eq!(harness.reaches(*id, "delivered").await.mail.tries, 1);
    }
    assert_eq!(harness.catcher.inbox().accepted(), ids.len() as u64);
}

#[tokio::test]
async fn three_attempts_show_that_the_relay_is_down_and_nothing_more_is_claimed_until_it_is_back() {
    let harness = Harness::in_real_time(ONE_HAND).await;
    harness.catcher.faults().refuse_connections().await.unwrap();
    let ids = register(&harness, 8).await;
    let worker = harness.start().await;

    let down = is_posted(&harness, RelayState::Open).await;
    let at_first = attempts(&harness).await;
    probes(&harness, 2).await;
    let later = attempts(&harness).await;
    let states: Vec<_> = harness
        .mails()
        .await
        .into_iter()
        .map(|mail| mail.state)
        .collect();
    harness.catcher.faults().accept_connections().await.unwrap();
    all_were_delivered(&harness, &ids).await;
    is_posted(&harness, RelayState::Closed).await;
    worker.stop().await;

    assert_eq!((at_first, later), (3, 3));
    let tried = states
        .iter()
        .filter(|state| state.as_str() == "waiting")
        .count();
    assert!(tried <= 3 && states.iter().all(|state| *state != "sending"));
    let reason = down.status.reason.as_deref().unwrap();
    assert!(reason.contains("failed at connect"), "{reason}");
    assert!(down.status.next_probe_at.is_some());
}

#[tokio::test]
async fn a_relay_that_refuses_us_is_left_alone_after_one_mail() {
    let harness = Harness::in_real_time(ONE_HAND).await;
    let refused = Fault::reply(Stage::Mail, 550, "5.7.1 Sender rejected");
    harness.catcher.faults().add(refused);
    let ids = register(&harness, 3).await;
    let worker = harness.start().await;

    let posted = is_posted(&harness, RelayState::Open).await;
    let tried = attempts(&harness).await;
    harness.catcher.faults().clear();
    all_were_delivered(&harness, &ids).await;
    worker.stop().await;

    assert_eq!(tried, 1);
    let reason = posted.status.reason.unwrap();
    assert!(reason.contains("5.7.1 Sender rejected"), "{reason}");
}

#[tokio::test]
async fn a_relay_that_answers_probes_but_takes_no_mail_gets_one_at_a_time_and_no_attempt_is_counted()
 {
    let harness = Harness::in_real_time(&[]).await;
    let trouble = Fault::reply(Stage::Mail, 451, "4.3.0 Not now");
    harness.catcher.faults().add(trouble);
    let worker = harness.start().await;
    let ids = register(&harness, 6).await;
    is_posted(&harness, RelayState::Open).await;
    harness.rests().await;
    let stages = harness.catcher.stages();
    let (mails, connects) = (stages.count(Stage::Mail), stages.count(Stage::Connect));

    stages
        .wait(Stage::Mail, mails + 3, crate::harness::PATIENCE)
        .await
        .unwrap();
    harness.rests().await;
    let mails = stages.count(Stage::Mail) - mails;
    let connects = stages.count(Stage::Connect) - connects;
    let counted: u32 = harness.mails().await.iter().map(|mail| mail.tries).sum();
    harness.catcher.faults().clear();
    all_were_delivered(&harness, &ids).await;
    worker.stop().await;

    // The first of them may have had its probe before.
    assert!(
        2 * mails <= connects + 1,
        "{mails} mails on {connects} connections: each needs a probe of its own"
    );
    assert_eq!(counted, 0);
}

#[tokio::test]
async fn a_mailbox_at_which_the_relay_hangs_up_holds_up_no_other() {
    let harness = Harness::new().await;
    harness
        .catcher
        .faults()
        .add(Fault::cut(Stage::Rcpt).to(ADA));
    let worker = harness.start_with(ONE_HAND).await;
    let poisoned = harness.register(ADA).await;

    for tries in 1..=5 {
        let story = harness.has_attempts(poisoned, tries).await;
        assert_eq!(story.mail.state, "waiting");
        assert_eq!(
            is_posted(&harness, RelayState::Closed).await.status.reason,
            None
        );
        harness.advance_to_next_attempt(poisoned).await;
    }
    let other = harness.register("bob@example.com").await;
    harness.reaches(other, "delivered").await;
    worker.stop().await;

    assert_eq!(harness.story(poisoned).await.mail.tries, 0);
    assert_eq!(
        harness.claims().await.last().unwrap().1,
        1,
        "bob's, at once"
    );
}

#[tokio::test]
async fn three_such_mailboxes_in_a_row_hold_the_queue_until_another_mail_gets_through() {
    let harness = Harness::in_real_time(ONE_HAND).await;
    harness
        .catcher
        .faults()
        .add(Fault::cut(Stage::Rcpt).to_domain("odd.test"));
    let worker = harness.start().await;
    for name in ["ada", "eve", "ivy"] {
        harness.register(&format!("{name}@odd.test")).await;
    }
    is_posted(&harness, RelayState::Open).await;

    let other = harness.register("bob@example.com").await;
    harness.reaches(other, "delivered").await;
    is_posted(&harness, RelayState::Closed).await;
    worker.stop().await;
}

/// The relay is back, but hangs at the end of the first mail that shows it.
#[tokio::test]
async fn a_mail_at_whose_end_the_relay_hangs_when_it_is_back_holds_up_no_other() {
    let harness = Harness::in_real_time(&[]).await;
    harness.catcher.faults().refuse_connections().await.unwrap();
    let worker = harness.start().await;
    let ids = register(&harness, 6).await;
    is_posted(&harness, RelayState::Open).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    harness.catcher.faults().accept_connections().await.unwrap();

    is_posted(&harness, RelayState::Closed).await;
    until("all others are delivered", async || {
        let mails = harness.mails().await;
        let delivered = mails.iter().filter(|mail| mail.state == "delivered");
        delivered.count() == ids.len() - 1
    })
    .await;
    let hanging = harness
        .mails()
        .await
        .into_iter()
        .find(|mail| mail.state == "sending");
    harness.catcher.faults().release();
    all_were_delivered(&harness, &ids).await;
    worker.stop().await;

    assert!(hanging.is_some(), "it was still being tried");
}

#[tokio::test]
async fn a_code_that_dies_while_the_queue_is_held_ends_as_expired_meanwhile() {
    let harness = Harness::new().await;
    harness.catcher.faults().refuse_connections().await.unwrap();
    let worker = harness.start_with(ONE_HAND).await;
    let ids = register(&harness, 5).await;
    is_posted(&harness, RelayState::Open).await;

    harness.advance(Duration::from_mins(10));
    for id in &ids {
        let mail = harness.reaches(*id, "expired").await.mail;
        assert!(mail.reason.unwrap().starts_with("its time was over"));
    }
    worker.stop().await;

    harness.is_consistent().await;
}

#[tokio::test]
async fn others_can_read_why_nothing_is_claimed_and_the_word_goes_with_the_worker() {
    let harness = Harness::in_real_time(&[]).await;
    let worker = harness.start().await;
    let works = is_posted(&harness, RelayState::Closed).await;
    assert_eq!(held_by(std::slice::from_ref(&works)), None);

    harness.catcher.faults().refuse_connections().await.unwrap();
    register(&harness, 4).await;
    let down = is_posted(&harness, RelayState::Open).await;
    worker.stop().await;

    assert_eq!(works.status.relay, harness.catcher.smtp_addr().to_string());
    assert!(down.status.since >= works.status.since);
    assert_eq!(held_by(std::slice::from_ref(&down)), Some(&down));
    assert_eq!(posted(&harness).await, None);
}

#[tokio::test]
async fn a_refusal_after_the_end_of_data_because_of_us_costs_no_attempt() {
    for (code, text) in [
        (550, "5.7.26 This mail is unauthenticated"),
        (421, "4.3.2 Going down"),
    ] {
        let harness = Harness::new().await;
        harness
            .catcher
            .faults()
            .add(Fault::reply(Stage::EndOfData, code, text).times(1));
        let worker = harness.start().await;
        let id = harness.register(ADA).await;
        let refused = harness.has_attempts(id, 1).await;

        harness.advance_to_next_attempt(id).await;
        let story = harness.reaches(id, "delivered").await;
        worker.stop().await;

        assert_eq!(
            (refused.mail.state.as_str(), refused.mail.tries),
            ("waiting", 0)
        );
        assert_eq!((outcomes(&story).len(), story.mail.tries), (2, 1));
        assert_eq!(harness.catcher.inbox().accepted(), 1);
    }
}
