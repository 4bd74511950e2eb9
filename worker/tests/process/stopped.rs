//! SIGTERM: exit code 0, whatever the relay does.

use devmail::{Fault, Stage};

use crate::harness::{Harness, PATIENCE, outcomes, until};

const ADA: &str = "ada@example.com";
const SOON: &[(&str, &str)] = &[("SMART_NOTES__WORKER__SHUTDOWN_GRACE_SECONDS", "1")];

#[tokio::test]
async fn an_idle_worker_ends_with_success() {
    let harness = Harness::in_real_time(&[]).await;
    let worker = harness.spawn();
    let listed = async || {
        !harness
            .database
            .store
            .reader()
            .await
            .unwrap()
            .heartbeats()
            .await
            .unwrap()
            .is_empty()
    };
    until("the worker beats", listed).await;

    let status = worker.stop().await;

    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_dot_that_hangs_keeps_no_worker_and_is_on_record() {
    let harness = Harness::in_real_time(SOON).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_end_of_data = harness.catcher.stages().next(Stage::EndOfData);
    let worker = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_end_of_data)
        .await
        .unwrap();

    let status = worker.stop().await;
    let story = harness.story(id).await;
    let next = harness.spawn();
    harness.reaches(id, "delivered").await;
    assert!(next.stop().await.success());

    assert_eq!(status.code(), Some(0));
    assert_eq!(story.mail.state, "waiting");
    assert_eq!(outcomes(&story), ["uncertain"]);
    assert_eq!(harness.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_relay_that_hangs_at_its_greeting_keeps_no_worker() {
    let harness = Harness::in_real_time(SOON).await;
    harness.catcher.faults().add(Fault::hang(Stage::Connect));
    let connected = harness.catcher.stages().next(Stage::Connect);
    let worker = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, connected).await.unwrap();

    let status = worker.stop().await;

    assert_eq!(status.code(), Some(0));
    assert_eq!(harness.story(id).await.mail.state, "queued");
}

#[tokio::test]
async fn what_is_in_flight_is_finished_first() {
    let harness = Harness::in_real_time(&[]).await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_end_of_data = harness.catcher.stages().next(Stage::EndOfData);
    let worker = harness.spawn();
    let id = harness.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_end_of_data)
        .await
        .unwrap();

    worker.terminate();
    harness.catcher.faults().release();
    let status = worker.ended().await;

    assert_eq!(status.code(), Some(0));
    assert_eq!(harness.story(id).await.mail.state, "delivered");
}
