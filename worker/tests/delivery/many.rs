//! Many mails at once, each delivered exactly once.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::rig::{PATIENCE, Rig};

/// Registers `count` addresses, many at once.
async fn register(rig: &Rig, count: usize) {
    join_all((0..count).map(async |n| rig.register(&format!("ada{n}@example.com")).await)).await;
}

/// Every mail once, by recipient and by Message-ID.
async fn each_was_delivered_once(rig: &Rig, count: usize) {
    rig.catcher
        .inbox()
        .wait_total(count as u64, PATIENCE)
        .await
        .unwrap();
    rig.drained().await;
    rig.is_consistent().await;
    let mails = rig.catcher.inbox().all();
    let recipients: HashSet<_> = mails.iter().map(|mail| mail.envelope_to.clone()).collect();
    let ids: HashSet<_> = mails.iter().map(|mail| mail.message_id()).collect();
    assert_eq!(rig.catcher.inbox().accepted(), count as u64);
    assert_eq!((recipients.len(), ids.len()), (count, count));
    for mail in rig.mails().await {
        assert_eq!((mail.state.as_str(), mail.tries), ("delivered", 1));
    }
}

#[tokio::test]
async fn two_hundred_mails_through_eight_hands() {
    let rig = Rig::new().await;
    let worker = rig
        .start_with(&[("SMART_NOTES__WORKER__CONCURRENCY", "8")])
        .await;

    register(&rig, 200).await;

    each_was_delivered_once(&rig, 200).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_three_hundred_mails() {
    let rig = Rig::new().await;
    let eight = [("SMART_NOTES__WORKER__CONCURRENCY", "8")];
    let workers = [rig.start_with(&eight).await, rig.start_with(&eight).await];

    register(&rig, 300).await;

    each_was_delivered_once(&rig, 300).await;
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn no_more_mails_are_in_hand_than_the_settings_allow() {
    use devmail::{Fault, Stage};

    let rig = Rig::new().await;
    // Where a relay hangs before it knows the recipient, no attempt is cut for another mail's sake for half a minute.
    rig.catcher.faults().add(Fault::hang(Stage::Mail));
    let worker = rig
        .start_with(&[("SMART_NOTES__WORKER__CONCURRENCY", "3")])
        .await;
    register(&rig, 10).await;

    rig.catcher
        .wait_stage(Stage::Mail, 3, PATIENCE)
        .await
        .unwrap();
    let sending = rig.mails().await;
    let sending = sending
        .iter()
        .filter(|mail| mail.state == "sending")
        .count();
    rig.catcher.faults().clear();
    rig.catcher.faults().release();
    each_was_delivered_once(&rig, 10).await;
    worker.stop().await;

    assert_eq!(sending, 3);
}
