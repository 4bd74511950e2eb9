//! `kill -9` at each point of a mail's way. Another worker has it within 15 s; the relay takes it once,
//! or twice only where an attempt was interrupted after the permit.

use devmail::{Fault, Stage};
use domain::id::MailId;
use domain::queue::MailStory;
use sqlx::Connection;

use crate::harness::{Harness, PATIENCE, RESCUE, outcomes};

const ADA: &str = "ada@example.com";

/// A short lease, for tests that are about something else than its length.
const SHORT: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__HEARTBEAT_SECONDS", "1"),
    ("SMART_NOTES__WORKER__LEASE_SECONDS", "3"),
];

/// Waits for the `n`-th mail to ada within the promised time of the kill that was just now, and for its end.
async fn rescued(harness: &Harness, id: MailId, n: usize) -> MailStory {
    harness
        .catcher
        .inbox()
        .wait_for(ADA, n, RESCUE)
        .await
        .unwrap();
    harness.reaches(id, "delivered").await
}

/// Kills a worker that hangs at the fault, then starts another. Returns the outcomes of the mail's
/// attempts and how many mails the relay took.
async fn killed_at(stage: Stage, fault: Fault, variables: &[(&str, &str)]) -> (Vec<String>, u64) {
    let harness = Harness::in_real_time(variables).await;
    harness.catcher.faults().add(fault.times(1));
    let reached = harness.catcher.stages().next(stage);
    let before = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, reached).await.unwrap();

    let taken = harness.catcher.inbox().to(ADA).len();
    before.kill().await;
    let after = harness.spawn();
    let story = rescued(&harness, id, taken + 1).await;
    assert!(after.stop().await.success());

    let outcomes = outcomes(&story).into_iter().map(str::to_owned).collect();
    (outcomes, harness.catcher.inbox().accepted())
}

#[tokio::test]
async fn killed_before_mail_the_mail_is_delivered_once() {
    let (tries, taken) = killed_at(Stage::Hello, Fault::hang(Stage::Hello), &[]).await;

    assert_eq!(tries, ["worker_died", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn killed_at_data_the_mail_is_delivered_once() {
    let (tries, taken) = killed_at(Stage::Data, Fault::hang(Stage::Data), SHORT).await;

    assert_eq!(tries, ["worker_died", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn killed_in_the_body_the_mail_is_delivered_once_with_the_mark_on_record() {
    let (tries, taken) = killed_at(Stage::Body, Fault::hang(Stage::Body), SHORT).await;

    assert_eq!(tries, ["uncertain", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn killed_between_end_of_data_and_answer_a_mail_not_stored_is_delivered_once() {
    let (tries, taken) = killed_at(Stage::EndOfData, Fault::hang(Stage::EndOfData), SHORT).await;

    assert_eq!(tries, ["uncertain", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn killed_between_end_of_data_and_answer_a_stored_mail_is_delivered_twice_and_that_is_on_record()
 {
    let (tries, taken) = killed_at(
        Stage::Stored,
        Fault::hang(Stage::EndOfData).storing(),
        SHORT,
    )
    .await;

    assert_eq!(tries, ["uncertain", "delivered"]);
    assert_eq!(taken, 2);
}

#[tokio::test]
async fn killed_twice_at_the_dot_the_mail_is_not_sent_a_third_time_and_says_that_it_may_have_arrived()
 {
    let harness = Harness::in_real_time(SHORT).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).storing());
    let id = harness.register(ADA).await;

    for n in 1..=2 {
        let worker = harness.spawn();
        harness
            .catcher
            .wait_stage(Stage::Stored, n, PATIENCE)
            .await
            .unwrap();
        worker.kill().await;
    }
    let last = harness.spawn();
    let story = harness.reaches(id, "undeliverable").await;
    assert!(last.stop().await.success());

    assert_eq!(outcomes(&story), ["uncertain", "uncertain"]);
    assert_eq!(harness.catcher.inbox().accepted(), 2);
    let reason = story.mail.reason.unwrap();
    assert!(reason.starts_with("it may have been delivered"), "{reason}");
}

#[tokio::test]
async fn killed_between_answer_and_ack_the_mail_is_delivered_twice_and_that_is_on_record() {
    let harness = Harness::in_real_time(SHORT).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_end_of_data = harness.catcher.stages().next(Stage::EndOfData);
    let before = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_end_of_data)
        .await
        .unwrap();

    // With the lock held elsewhere the acknowledgement can't be committed.
    let mut outside = harness.outside().await;
    let lock = outside.begin_with("BEGIN IMMEDIATE").await.unwrap();
    harness.catcher.faults().release();
    harness
        .catcher
        .wait_stage(Stage::Answered, 1, PATIENCE)
        .await
        .unwrap();
    before.kill().await;
    lock.rollback().await.unwrap();
    let after = harness.spawn();
    let story = rescued(&harness, id, 2).await;
    assert!(after.stop().await.success());

    assert_eq!(outcomes(&story), ["uncertain", "delivered"]);
    assert_eq!(harness.catcher.inbox().accepted(), 2);
}

#[tokio::test]
async fn a_worker_that_lives_meanwhile_takes_the_mail_over() {
    let harness = Harness::in_real_time(&[]).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::Rcpt).times(1));
    let at_rcpt = harness.catcher.stages().next(Stage::Rcpt);
    let dies = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_rcpt).await.unwrap();
    let lives = harness.spawn();
    let other = harness.register("bob@example.com").await;
    harness.reaches(other, "delivered").await;

    dies.kill().await;
    let story = rescued(&harness, id, 1).await;
    assert!(lives.stop().await.success());

    assert_eq!(outcomes(&story), ["worker_died", "delivered"]);
    assert_eq!(harness.catcher.inbox().to(ADA).len(), 1);
}

#[tokio::test]
async fn a_mail_that_three_workers_were_killed_with_is_set_aside() {
    let harness = Harness::in_real_time(SHORT).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::Rcpt).to(ADA));
    let id = harness.register(ADA).await;

    for n in 1..=3 {
        let worker = harness.spawn();
        harness
            .catcher
            .wait_stage(Stage::Rcpt, n, PATIENCE)
            .await
            .unwrap();
        worker.kill().await;
    }
    let last = harness.spawn();
    let story = harness.reaches(id, "poison").await;
    let other = harness.register("bob@example.com").await;
    harness.reaches(other, "delivered").await;
    assert!(last.stop().await.success());

    assert_eq!(
        outcomes(&story),
        ["worker_died", "worker_died", "worker_died"]
    );
    assert!(harness.catcher.inbox().to(ADA).is_empty());
}
