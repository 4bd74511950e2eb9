//! A relay that is out of order: the queue is held, nothing is lost or counted, and mails flow when it is back.

use std::time::Duration;

use devmail::{Fault, Stage};
use domain::id::MailId;
use domain::relay::{PostedStanding, RelayState, held_by};

use crate::rig::{Rig, outcomes, until};

const ADA: &str = "ada@example.com";

/// One attempt at a time, so that it is known how many are made. A mail may be claimed ahead meanwhile; it waits for
/// the connection of the one before it.
const ONE_HAND: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__CONCURRENCY", "1"),
    ("SMART_NOTES__SMTP__MAX_CONNECTIONS", "1"),
];

async fn register(rig: &Rig, count: usize) -> Vec<MailId> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(rig.register(&format!("ada{n}@example.com")).await);
    }
    ids
}

async fn posted(rig: &Rig) -> Option<PostedStanding> {
    let mut reader = rig.database.store.view().await.unwrap();
    let posted = reader.posted_relays().await.unwrap();
    posted.into_iter().next()
}

/// Waits until the worker has said that of its relay, and returns what it said.
async fn is_posted(rig: &Rig, state: RelayState) -> PostedStanding {
    let mut found = None;
    until(state.as_str(), async || {
        found = posted(rig)
            .await
            .filter(|posted| posted.standing.state == state);
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// Waits until so many more probes have been planned.
async fn probes(rig: &Rig, count: usize) {
    for _ in 0..count {
        let before = posted(rig)
            .await
            .map(|posted| posted.standing.next_probe_at);
        until("another probe", async || {
            posted(rig)
                .await
                .map(|posted| posted.standing.next_probe_at)
                != before
        })
        .await;
    }
}

/// The attempts on record once no mail is in flight.
async fn attempts(rig: &Rig) -> i64 {
    rig.rests().await;
    rig.attempts(rig.catcher.smtp_addr()).await
}

async fn all_were_delivered(rig: &Rig, ids: &[MailId]) {
    for id in ids {
        assert_eq!(rig.reaches(*id, "delivered").await.mail.tries, 1);
    }
    assert_eq!(rig.catcher.inbox().accepted(), ids.len() as u64);
}

#[tokio::test]
async fn three_tries_show_that_the_relay_is_down_and_nothing_more_is_claimed_until_it_is_back() {
    let rig = Rig::in_real_time(ONE_HAND).await;
    rig.catcher.faults().refuse_connections().await.unwrap();
    let ids = register(&rig, 8).await;
    let worker = rig.start().await;

    let down = is_posted(&rig, RelayState::Open).await;
    let at_first = attempts(&rig).await;
    probes(&rig, 2).await;
    let later = attempts(&rig).await;
    let states: Vec<_> = rig
        .mails()
        .await
        .into_iter()
        .map(|mail| mail.state)
        .collect();
    rig.catcher.faults().accept_connections().await.unwrap();
    all_were_delivered(&rig, &ids).await;
    is_posted(&rig, RelayState::Closed).await;
    worker.stop().await;

    assert_eq!((at_first, later), (3, 3));
    let tried = states.iter().filter(|state| *state == "waiting").count();
    assert!(tried <= 3 && states.iter().all(|state| state != "sending"));
    let reason = down.standing.reason.as_deref().unwrap();
    assert!(reason.contains("failed at connect"), "{reason}");
    assert!(down.standing.next_probe_at.is_some());
}

#[tokio::test]
async fn a_relay_that_refuses_us_is_left_alone_after_one_mail() {
    let rig = Rig::in_real_time(ONE_HAND).await;
    let refused = Fault::reply(Stage::Mail, 550, "5.7.1 Sender rejected");
    rig.catcher.faults().add(refused);
    let ids = register(&rig, 3).await;
    let worker = rig.start().await;

    let posted = is_posted(&rig, RelayState::Open).await;
    let tried = attempts(&rig).await;
    rig.catcher.faults().clear();
    all_were_delivered(&rig, &ids).await;
    worker.stop().await;

    assert_eq!(tried, 1);
    let reason = posted.standing.reason.unwrap();
    assert!(reason.contains("5.7.1 Sender rejected"), "{reason}");
}

#[tokio::test]
async fn a_relay_that_answers_probes_but_takes_no_mail_gets_one_at_a_time_and_no_try_is_counted() {
    let rig = Rig::in_real_time(&[]).await;
    let trouble = Fault::reply(Stage::Mail, 451, "4.3.0 Not now");
    rig.catcher.faults().add(trouble);
    let worker = rig.start().await;
    let ids = register(&rig, 6).await;
    is_posted(&rig, RelayState::Open).await;
    rig.rests().await;
    let stages = rig.catcher.stages();
    let (mails, connects) = (stages.count(Stage::Mail), stages.count(Stage::Connect));

    stages
        .wait(Stage::Mail, mails + 3, crate::rig::PATIENCE)
        .await
        .unwrap();
    rig.rests().await;
    let mails = stages.count(Stage::Mail) - mails;
    let connects = stages.count(Stage::Connect) - connects;
    let counted: u32 = rig.mails().await.iter().map(|mail| mail.tries).sum();
    rig.catcher.faults().clear();
    all_were_delivered(&rig, &ids).await;
    worker.stop().await;

    // The first of them may have had its probe before.
    assert!(
        2 * mails <= connects + 1,
        "{mails} mails on {connects} connections: each needs a probe of its own"
    );
    assert_eq!(counted, 0);
}

#[tokio::test]
async fn a_mailbox_at_which_the_relay_hangs_up_holds_up_nobody() {
    let rig = Rig::new().await;
    rig.catcher.faults().add(Fault::cut(Stage::Rcpt).to(ADA));
    let worker = rig.start_with(ONE_HAND).await;
    let poisoned = rig.register(ADA).await;

    for tries in 1..=5 {
        let story = rig.has_tries(poisoned, tries).await;
        assert_eq!(story.mail.state, "waiting");
        assert_eq!(
            is_posted(&rig, RelayState::Closed).await.standing.reason,
            None
        );
        rig.advance_to_next_try(poisoned).await;
    }
    let other = rig.register("bob@example.com").await;
    rig.reaches(other, "delivered").await;
    worker.stop().await;

    assert_eq!(rig.story(poisoned).await.mail.tries, 0);
    assert_eq!(rig.claims().await.last().unwrap().1, 1, "bob's, at once");
}

#[tokio::test]
async fn three_such_mailboxes_in_a_row_hold_the_queue_until_another_mail_gets_through() {
    let rig = Rig::in_real_time(ONE_HAND).await;
    rig.catcher
        .faults()
        .add(Fault::cut(Stage::Rcpt).to_domain("odd.test"));
    let worker = rig.start().await;
    for name in ["ada", "eve", "ivy"] {
        rig.register(&format!("{name}@odd.test")).await;
    }
    is_posted(&rig, RelayState::Open).await;

    let other = rig.register("bob@example.com").await;
    rig.reaches(other, "delivered").await;
    is_posted(&rig, RelayState::Closed).await;
    worker.stop().await;
}

/// The relay is back, but hangs at the end of the first mail that shows it.
#[tokio::test]
async fn a_mail_at_whose_end_the_relay_hangs_when_it_is_back_holds_up_no_other() {
    let rig = Rig::in_real_time(&[]).await;
    rig.catcher.faults().refuse_connections().await.unwrap();
    let worker = rig.start().await;
    let ids = register(&rig, 6).await;
    is_posted(&rig, RelayState::Open).await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    rig.catcher.faults().accept_connections().await.unwrap();

    is_posted(&rig, RelayState::Closed).await;
    until("all others are delivered", async || {
        let mails = rig.mails().await;
        let delivered = mails.iter().filter(|mail| mail.state == "delivered");
        delivered.count() == ids.len() - 1
    })
    .await;
    let hanging = rig
        .mails()
        .await
        .into_iter()
        .find(|mail| mail.state == "sending");
    rig.catcher.faults().release();
    all_were_delivered(&rig, &ids).await;
    worker.stop().await;

    assert!(hanging.is_some(), "it was still being tried");
}

#[tokio::test]
async fn a_code_that_dies_while_the_queue_is_held_ends_as_expired_meanwhile() {
    let rig = Rig::new().await;
    rig.catcher.faults().refuse_connections().await.unwrap();
    let worker = rig.start_with(ONE_HAND).await;
    let ids = register(&rig, 5).await;
    is_posted(&rig, RelayState::Open).await;

    rig.advance(Duration::from_mins(10));
    for id in &ids {
        let mail = rig.reaches(*id, "expired").await.mail;
        assert!(mail.reason.unwrap().starts_with("its time was over"));
    }
    worker.stop().await;

    rig.is_consistent().await;
}

#[tokio::test]
async fn others_can_read_why_nothing_is_claimed_and_the_word_goes_with_the_worker() {
    let rig = Rig::in_real_time(&[]).await;
    let worker = rig.start().await;
    let works = is_posted(&rig, RelayState::Closed).await;
    assert_eq!(held_by(std::slice::from_ref(&works)), None);

    rig.catcher.faults().refuse_connections().await.unwrap();
    register(&rig, 4).await;
    let down = is_posted(&rig, RelayState::Open).await;
    worker.stop().await;

    assert_eq!(works.standing.relay, rig.catcher.smtp_addr().to_string());
    assert!(down.standing.since >= works.standing.since);
    assert_eq!(held_by(std::slice::from_ref(&down)), Some(&down));
    assert_eq!(posted(&rig).await, None);
}

#[tokio::test]
async fn a_refusal_after_the_dot_because_of_us_costs_no_try() {
    for (code, text) in [
        (550, "5.7.26 This mail is unauthenticated"),
        (421, "4.3.2 Going down"),
    ] {
        let rig = Rig::new().await;
        rig.catcher
            .faults()
            .add(Fault::reply(Stage::EndOfData, code, text).times(1));
        let worker = rig.start().await;
        let id = rig.register(ADA).await;
        let refused = rig.has_tries(id, 1).await;

        rig.advance_to_next_try(id).await;
        let story = rig.reaches(id, "delivered").await;
        worker.stop().await;

        assert_eq!(
            (refused.mail.state.as_str(), refused.mail.tries),
            ("waiting", 0)
        );
        assert_eq!((outcomes(&story).len(), story.mail.tries), (2, 1));
        assert_eq!(rig.catcher.inbox().accepted(), 1);
    }
}
