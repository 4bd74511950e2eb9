//! Many mails at once, each delivered exactly once.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::harness::{Harness, PATIENCE};

/// Registers `count` addresses, many at once.
async fn register(harness: &Harness, count: usize) {
    join_all((0..count).map(async |n| harness.register(&format!("ada{n}@example.com")).await))
        .await;
}

/// Every mail once, by recipient and by Message-ID.
async fn each_was_delivered_once(harness: &Harness, count: usize) {
    harness
        .catcher
        .inbox()
        .wait_total(count as u64, PATIENCE)
        .await
        .unwrap();
    harness.drained().await;
    harness.is_consistent().await;
    let mails = harness.catcher.inbox().all();
    let recipients: HashSet<_> = mails.iter().map(|mail| mail.envelope_to.clone()).collect();
    let ids: HashSet<_> = mails.iter().map(|mail| mail.message_id()).collect();
    assert_eq!(harness.catcher.inbox().accepted(), count as u64);
    assert_eq!((recipients.len(), ids.len()), (count, count));
    for mail in harness.mails().await {
        assert_eq!((mail.state.as_str(), mail.tries), ("delivered", 1));
    }
}

#[tokio::test]
async fn two_hundred_mails_through_eight_slots() {
    let harness = Harness::new().await;
    let worker = harness
        .start_with(&[("SMART_NOTES__WORKER__CONCURRENCY", "8")])
        .await;

    register(&harness, 200).await;

    each_was_delivered_once(&harness, 200).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_three_hundred_mails() {
    let harness = Harness::new().await;
    let eight = [("SMART_NOTES__WORKER__CONCURRENCY", "8")];
    let workers = [
        harness.start_with(&eight).await,
        harness.start_with(&eight).await,
    ];

    register(&harness, 300).await;

    each_was_delivered_once(&harness, 300).await;
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn no_more_mails_are_in_flight_than_the_settings_allow() {
    use devmail::{Fault, Stage};

    let harness = Harness::new().await;
    // Where a relay hangs before it knows the recipient, no attempt is cut for another mail's sake for half a minute.
    harness.catcher.faults().add(Fault::hang(Stage::Mail));
    let worker = harness
        .start_with(&[("SMART_NOTES__WORKER__CONCURRENCY", "3")])
        .await;
    register(&harness, 10).await;

    harness
        .catcher
        .wait_stage(Stage::Mail, 3, PATIENCE)
        .await
        .unwrap();
    let sending = harness.mails().await;
    let sending = sending
        .iter()
        .filter(|mail| mail.state == "sending")
        .count();
    harness.catcher.faults().clear();
    harness.catcher.faults().release();
    each_was_delivered_once(&harness, 10).await;
    worker.stop().await;

    assert_eq!(sending, 3);
}
