//! Several processes on one queue.

use std::collections::HashMap;

use futures_util::future::join_all;

use crate::harness::{Harness, PATIENCE, outcomes};

async fn register(harness: &Harness, count: usize) {
    join_all((0..count).map(async |n| harness.register(&format!("ada{n}@example.com")).await))
        .await;
}

#[tokio::test]
async fn two_workers_drain_five_hundred_mails_once_each() {
    let harness = Harness::in_real_time(&[]).await;
    let workers = [harness.spawn(), harness.spawn()];

    register(&harness, 500).await;
    harness
        .catcher
        .inbox()
        .wait_total(500, PATIENCE)
        .await
        .unwrap();
    harness.drained().await;
    for worker in workers {
        assert!(worker.stop().await.success());
    }

    harness.is_consistent().await;
    assert_eq!(harness.catcher.inbox().accepted(), 500);
    for mail in harness.mails().await {
        assert_eq!((mail.state.as_str(), mail.tries), ("delivered", 1));
        assert_eq!(harness.catcher.inbox().to(&mail.to).len(), 1);
    }
}

#[tokio::test]
async fn a_worker_killed_at_work_loses_no_mail_and_doubles_none_without_a_record() {
    let harness = Harness::in_real_time(&[
        ("SMART_NOTES__WORKER__HEARTBEAT_SECONDS", "1"),
        ("SMART_NOTES__WORKER__LEASE_SECONDS", "3"),
    ])
    .await;
    register(&harness, 300).await;

    for taken in [60, 120] {
        let worker = harness.spawn();
        harness
            .catcher
            .inbox()
            .wait_total(taken, PATIENCE)
            .await
            .unwrap();
        worker.kill().await;
    }
    let last = harness.spawn();
    harness.drained().await;
    assert!(last.stop().await.success());

    harness.is_consistent().await;
    let mut taken: HashMap<String, usize> = HashMap::new();
    for mail in harness.catcher.inbox().all() {
        *taken.entry(mail.envelope_to[0].clone()).or_default() += 1;
    }
    for mail in harness.mails().await {
        let story = harness.story(mail.id).await;
        let uncertain = outcomes(&story).contains(&"uncertain");
        assert_eq!(mail.state, "delivered");
        match taken.get(&mail.to) {
            Some(1) => {}
            Some(2) => assert!(uncertain, "accepted twice without a record: {story:#?}"),
            other => panic!("accepted {other:?} times: {story:#?}"),
        }
    }
}
