//! A worker that is told to stop, with free slots and with busy ones.

use devmail::{Fault, Stage};

use crate::harness::{Harness, outcomes};

const ADA: &str = "ada@example.com";
const SOON: &[(&str, &str)] = &[("SMART_NOTES__WORKER__SHUTDOWN_GRACE_SECONDS", "1")];

#[tokio::test]
async fn with_nothing_in_flight_it_stops_and_leaves() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let id = harness.register(ADA).await;
    harness.reaches(id, "delivered").await;

    worker.stop().await;

    assert!(
        harness
            .database
            .store
            .reader()
            .await
            .unwrap()
            .heartbeats()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_mail_in_flight_is_finished_first_and_no_other_begun() {
    let harness = Harness::new().await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_end_of_data = harness.catcher.stages().next(Stage::EndOfData);
    let worker = harness.start().await;
    let id = harness.register(ADA).await;
    at_end_of_data.await;

    worker.tell_to_stop();
    let later = harness.register("bob@example.com").await;
    harness.catcher.faults().release();
    worker.stopped().await;

    assert_eq!(harness.story(id).await.mail.state, "delivered");
    assert_eq!(harness.story(later).await.mail.state, "queued");
    assert_eq!(harness.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_mail_that_hangs_before_its_end_of_data_is_released_without_an_attempt() {
    let harness = Harness::new().await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::Rcpt).times(1));
    let at_rcpt = harness.catcher.stages().next(Stage::Rcpt);
    let worker = harness.start_with(SOON).await;
    let id = harness.register(ADA).await;
    at_rcpt.await;

    worker.stop().await;

    let story = harness.story(id).await;
    assert_eq!((story.mail.state.as_str(), story.mail.tries), ("queued", 0));
    assert!(story.tries.is_empty());
}

#[tokio::test]
async fn a_mail_that_hangs_after_its_end_of_data_goes_back_as_uncertain() {
    let harness = Harness::new().await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).storing().times(1));
    let at_end_of_data = harness.catcher.stages().next(Stage::EndOfData);
    let worker = harness.start_with(SOON).await;
    let id = harness.register(ADA).await;
    at_end_of_data.await;

    worker.stop().await;
    let stopped = harness.story(id).await;
    let next = harness.start().await;
    let story = harness.reaches(id, "delivered").await;
    next.stop().await;

    assert_eq!(stopped.mail.state, "waiting");
    assert_eq!(outcomes(&stopped), ["uncertain"]);
    assert_eq!(outcomes(&story), ["uncertain", "delivered"]);
    assert_eq!(harness.catcher.inbox().accepted(), 2);
}
