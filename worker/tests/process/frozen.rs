//! SIGSTOP past the lease, with a mail in flight, then SIGCONT: what the others did meanwhile stands.

use devmail::{Fault, Stage};

use crate::harness::{Harness, PATIENCE, outcomes};

const ADA: &str = "ada@example.com";
const SHORT: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__HEARTBEAT_SECONDS", "1"),
    ("SMART_NOTES__WORKER__LEASE_SECONDS", "3"),
];

#[tokio::test]
async fn frozen_before_its_mark_it_writes_no_dot_any_more() {
    let harness = Harness::in_real_time(SHORT).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::Data).times(1));
    let at_data = harness.catcher.stages().next(Stage::Data);
    let frozen = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_data).await.unwrap();

    harness.freeze(&frozen).await;
    let other = harness.spawn();
    let story = harness.reaches(id, "delivered").await;
    // The relay's 354 is there when it wakes.
    harness.catcher.faults().release();
    frozen.thaw();
    // What it has in flight is finished before it ends.
    assert!(frozen.stop().await.success());
    assert!(other.stop().await.success());

    assert_eq!(outcomes(&story), ["worker_died", "delivered"]);
    assert_eq!(harness.catcher.stages().count(Stage::EndOfData), 1);
    assert_eq!(harness.catcher.inbox().accepted(), 1);
    assert_eq!(harness.story(id).await.tries.len(), 2);
}

#[tokio::test]
async fn frozen_after_its_dot_its_late_result_changes_nothing() {
    let harness = Harness::in_real_time(SHORT).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_end_of_data = harness.catcher.stages().next(Stage::EndOfData);
    let frozen = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_end_of_data)
        .await
        .unwrap();

    harness.freeze(&frozen).await;
    let other = harness.spawn();
    let before = harness.reaches(id, "delivered").await;
    // The frozen one's mail is taken as well, and its 250 is there when it wakes.
    harness.catcher.faults().release();
    harness
        .catcher
        .inbox()
        .wait_for(ADA, 2, PATIENCE)
        .await
        .unwrap();
    frozen.thaw();
    assert!(frozen.stop().await.success());
    assert!(other.stop().await.success());

    let after = harness.story(id).await;
    assert_eq!(outcomes(&after), ["uncertain", "delivered"]);
    assert_eq!(after.mail.tries, before.mail.tries);
    assert_eq!(after.mail.finished, before.mail.finished);
    assert_eq!(harness.catcher.inbox().accepted(), 2);
}

#[tokio::test]
async fn a_worker_that_was_given_up_works_again() {
    let harness = Harness::in_real_time(SHORT).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::Rcpt).times(1));
    let at_rcpt = harness.catcher.stages().next(Stage::Rcpt);
    let frozen = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_rcpt).await.unwrap();
    harness.freeze(&frozen).await;
    let other = harness.spawn();
    harness.reaches(id, "delivered").await;
    assert!(other.stop().await.success());

    frozen.thaw();
    let next = harness.register("bob@example.com").await;
    harness.reaches(next, "delivered").await;
    harness.catcher.faults().release();
    assert!(frozen.stop().await.success());

    assert_eq!(harness.catcher.inbox().accepted(), 2);
}
