//! `kill -9` at each point of a mail's way. Another worker has it within 15 s; the relay takes it once,
//! or twice only where a try was cut off after the mark.

use devmail::{Fault, Stage};
use domain::id::MailId;
use domain::queue::MailStory;
use sqlx::Connection;

use crate::rig::{PATIENCE, RESCUE, Rig, outcomes};

const ADA: &str = "ada@example.com";

/// A short lease, for tests that are about something else than its length.
const SHORT: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__HEARTBEAT_SECONDS", "1"),
    ("SMART_NOTES__WORKER__LEASE_SECONDS", "3"),
];

/// Waits for the `n`-th mail to ada within the promised time of the kill that was just now, and for its end.
async fn rescued(rig: &Rig, id: MailId, n: usize) -> MailStory {
    rig.catcher.inbox().wait_for(ADA, n, RESCUE).await.unwrap();
    rig.reaches(id, "delivered").await
}

/// Kills a worker that hangs at the fault, then starts another. Returns the outcomes of the mail's
/// tries and how many mails the relay took.
async fn killed_at(stage: Stage, fault: Fault, variables: &[(&str, &str)]) -> (Vec<String>, u64) {
    let rig = Rig::in_real_time(variables).await;
    rig.catcher.faults().add(fault.times(1));
    let reached = rig.catcher.stages().next(stage);
    let before = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, reached).await.unwrap();

    let taken = rig.catcher.inbox().to(ADA).len();
    before.kill().await;
    let after = rig.spawn();
    let story = rescued(&rig, id, taken + 1).await;
    assert!(after.stop().await.success());

    let outcomes = outcomes(&story).into_iter().map(str::to_owned).collect();
    (outcomes, rig.catcher.inbox().accepted())
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

    assert_eq!(tries, ["cut_off", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn killed_between_dot_and_answer_a_mail_not_stored_is_delivered_once() {
    let (tries, taken) = killed_at(Stage::EndOfData, Fault::hang(Stage::EndOfData), SHORT).await;

    assert_eq!(tries, ["cut_off", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn killed_between_dot_and_answer_a_stored_mail_is_delivered_twice_and_that_is_on_record() {
    let (tries, taken) = killed_at(
        Stage::Stored,
        Fault::hang(Stage::EndOfData).storing(),
        SHORT,
    )
    .await;

    assert_eq!(tries, ["cut_off", "delivered"]);
    assert_eq!(taken, 2);
}

#[tokio::test]
async fn killed_twice_at_the_dot_the_mail_is_not_sent_a_third_time_and_says_that_it_may_have_arrived()
 {
    let rig = Rig::in_real_time(SHORT).await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).storing());
    let id = rig.register(ADA).await;

    for n in 1..=2 {
        let worker = rig.spawn();
        rig.catcher
            .wait_stage(Stage::Stored, n, PATIENCE)
            .await
            .unwrap();
        worker.kill().await;
    }
    let last = rig.spawn();
    let story = rig.reaches(id, "undeliverable").await;
    assert!(last.stop().await.success());

    assert_eq!(outcomes(&story), ["cut_off", "cut_off"]);
    assert_eq!(rig.catcher.inbox().accepted(), 2);
    let reason = story.mail.reason.unwrap();
    assert!(reason.starts_with("it may have been delivered"), "{reason}");
}

#[tokio::test]
async fn killed_between_answer_and_ack_the_mail_is_delivered_twice_and_that_is_on_record() {
    let rig = Rig::in_real_time(SHORT).await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_dot = rig.catcher.stages().next(Stage::EndOfData);
    let before = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_dot).await.unwrap();

    // With the lock held elsewhere the acknowledgement can't be committed.
    let mut outside = rig.outside().await;
    let lock = outside.begin_with("BEGIN IMMEDIATE").await.unwrap();
    rig.catcher.faults().release();
    rig.catcher
        .wait_stage(Stage::Answered, 1, PATIENCE)
        .await
        .unwrap();
    before.kill().await;
    lock.rollback().await.unwrap();
    let after = rig.spawn();
    let story = rescued(&rig, id, 2).await;
    assert!(after.stop().await.success());

    assert_eq!(outcomes(&story), ["cut_off", "delivered"]);
    assert_eq!(rig.catcher.inbox().accepted(), 2);
}

#[tokio::test]
async fn a_worker_that_lives_meanwhile_takes_the_mail_over() {
    let rig = Rig::in_real_time(&[]).await;
    rig.catcher.faults().add(Fault::hang(Stage::Rcpt).times(1));
    let at_rcpt = rig.catcher.stages().next(Stage::Rcpt);
    let dies = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_rcpt).await.unwrap();
    let lives = rig.spawn();
    let other = rig.register("bob@example.com").await;
    rig.reaches(other, "delivered").await;

    dies.kill().await;
    let story = rescued(&rig, id, 1).await;
    assert!(lives.stop().await.success());

    assert_eq!(outcomes(&story), ["worker_died", "delivered"]);
    assert_eq!(rig.catcher.inbox().to(ADA).len(), 1);
}

#[tokio::test]
async fn a_mail_that_three_workers_were_killed_with_is_set_aside() {
    let rig = Rig::in_real_time(SHORT).await;
    rig.catcher.faults().add(Fault::hang(Stage::Rcpt).to(ADA));
    let id = rig.register(ADA).await;

    for n in 1..=3 {
        let worker = rig.spawn();
        rig.catcher
            .wait_stage(Stage::Rcpt, n, PATIENCE)
            .await
            .unwrap();
        worker.kill().await;
    }
    let last = rig.spawn();
    let story = rig.reaches(id, "poison").await;
    let other = rig.register("bob@example.com").await;
    rig.reaches(other, "delivered").await;
    assert!(last.stop().await.success());

    assert_eq!(
        outcomes(&story),
        ["worker_died", "worker_died", "worker_died"]
    );
    assert!(rig.catcher.inbox().to(ADA).is_empty());
}
