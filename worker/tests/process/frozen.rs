//! SIGSTOP past the lease, with a mail in hand, then SIGCONT: what the others did meanwhile stands.

use devmail::{Fault, Stage};

use crate::rig::{PATIENCE, Rig, outcomes};

const ADA: &str = "ada@example.com";
const SHORT: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__HEARTBEAT_SECONDS", "1"),
    ("SMART_NOTES__WORKER__LEASE_SECONDS", "3"),
];

#[tokio::test]
async fn frozen_before_its_mark_it_writes_no_dot_any_more() {
    let rig = Rig::in_real_time(SHORT).await;
    rig.catcher.faults().add(Fault::hang(Stage::Data).times(1));
    let at_data = rig.catcher.stages().next(Stage::Data);
    let frozen = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_data).await.unwrap();

    rig.freeze(&frozen).await;
    let other = rig.spawn();
    let story = rig.reaches(id, "delivered").await;
    // The relay's 354 is there when it wakes.
    rig.catcher.faults().release();
    frozen.thaw();
    // What it has in hand is finished before it ends.
    assert!(frozen.stop().await.success());
    assert!(other.stop().await.success());

    assert_eq!(outcomes(&story), ["worker_died", "delivered"]);
    assert_eq!(rig.catcher.stages().count(Stage::EndOfData), 1);
    assert_eq!(rig.catcher.inbox().accepted(), 1);
    assert_eq!(rig.story(id).await.tries.len(), 2);
}

#[tokio::test]
async fn frozen_after_its_dot_its_late_result_changes_nothing() {
    let rig = Rig::in_real_time(SHORT).await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_dot = rig.catcher.stages().next(Stage::EndOfData);
    let frozen = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_dot).await.unwrap();

    rig.freeze(&frozen).await;
    let other = rig.spawn();
    let before = rig.reaches(id, "delivered").await;
    // The frozen one's mail is taken as well, and its 250 is there when it wakes.
    rig.catcher.faults().release();
    rig.catcher
        .inbox()
        .wait_for(ADA, 2, PATIENCE)
        .await
        .unwrap();
    frozen.thaw();
    assert!(frozen.stop().await.success());
    assert!(other.stop().await.success());

    let after = rig.story(id).await;
    assert_eq!(outcomes(&after), ["cut_off", "delivered"]);
    assert_eq!(after.mail.tries, before.mail.tries);
    assert_eq!(after.mail.finished, before.mail.finished);
    assert_eq!(rig.catcher.inbox().accepted(), 2);
}

#[tokio::test]
async fn a_worker_that_was_given_up_works_again() {
    let rig = Rig::in_real_time(SHORT).await;
    rig.catcher.faults().add(Fault::hang(Stage::Rcpt).times(1));
    let at_rcpt = rig.catcher.stages().next(Stage::Rcpt);
    let frozen = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_rcpt).await.unwrap();
    rig.freeze(&frozen).await;
    let other = rig.spawn();
    rig.reaches(id, "delivered").await;
    assert!(other.stop().await.success());

    frozen.thaw();
    let next = rig.register("bob@example.com").await;
    rig.reaches(next, "delivered").await;
    rig.catcher.faults().release();
    assert!(frozen.stop().await.success());

    assert_eq!(rig.catcher.inbox().accepted(), 2);
}
