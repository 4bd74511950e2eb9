//! SIGTERM: exit code 0, whatever the relay does.

use devmail::{Fault, Stage};

use crate::rig::{PATIENCE, Rig, outcomes, until};

const ADA: &str = "ada@example.com";
const SOON: &[(&str, &str)] = &[("SMART_NOTES__WORKER__SHUTDOWN_GRACE_SECONDS", "1")];

#[tokio::test]
async fn an_idle_worker_ends_with_success() {
    let rig = Rig::in_real_time(&[]).await;
    let worker = rig.spawn();
    let listed = async || {
        !rig.database
            .store
            .view()
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
    let rig = Rig::in_real_time(SOON).await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_dot = rig.catcher.stages().next(Stage::EndOfData);
    let worker = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_dot).await.unwrap();

    let status = worker.stop().await;
    let story = rig.story(id).await;
    let next = rig.spawn();
    rig.reaches(id, "delivered").await;
    assert!(next.stop().await.success());

    assert_eq!(status.code(), Some(0));
    assert_eq!(story.mail.state, "waiting");
    assert_eq!(outcomes(&story), ["cut_off"]);
    assert_eq!(rig.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_relay_that_hangs_at_its_greeting_keeps_no_worker() {
    let rig = Rig::in_real_time(SOON).await;
    rig.catcher.faults().add(Fault::hang(Stage::Connect));
    let connected = rig.catcher.stages().next(Stage::Connect);
    let worker = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, connected).await.unwrap();

    let status = worker.stop().await;

    assert_eq!(status.code(), Some(0));
    assert_eq!(rig.story(id).await.mail.state, "queued");
}

#[tokio::test]
async fn what_is_in_hand_is_finished_first() {
    let rig = Rig::in_real_time(&[]).await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_dot = rig.catcher.stages().next(Stage::EndOfData);
    let worker = rig.spawn();
    let id = rig.register(ADA).await;
    tokio::time::timeout(PATIENCE, at_dot).await.unwrap();

    worker.terminate();
    rig.catcher.faults().release();
    let status = worker.ended().await;

    assert_eq!(status.code(), Some(0));
    assert_eq!(rig.story(id).await.mail.state, "delivered");
}
