//! A worker that is told to stop, with empty hands and with full ones.

use devmail::{Fault, Stage};

use crate::rig::{Rig, outcomes};

const ADA: &str = "ada@example.com";
const SOON: &[(&str, &str)] = &[("SMART_NOTES__WORKER__SHUTDOWN_GRACE_SECONDS", "1")];

#[tokio::test]
async fn with_nothing_in_hand_it_stops_and_leaves() {
    let rig = Rig::new().await;
    let worker = rig.start().await;
    let id = rig.register(ADA).await;
    rig.reaches(id, "delivered").await;

    worker.stop().await;

    assert!(
        rig.database
            .store
            .view()
            .await
            .unwrap()
            .heartbeats()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_mail_in_hand_is_finished_first_and_no_other_begun() {
    let rig = Rig::new().await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_dot = rig.catcher.stages().next(Stage::EndOfData);
    let worker = rig.start().await;
    let id = rig.register(ADA).await;
    at_dot.await;

    worker.tell_to_stop();
    let later = rig.register("bob@example.com").await;
    rig.catcher.faults().release();
    worker.stopped().await;

    assert_eq!(rig.story(id).await.mail.state, "delivered");
    assert_eq!(rig.story(later).await.mail.state, "queued");
    assert_eq!(rig.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_mail_that_hangs_before_its_dot_is_given_back_without_a_try() {
    let rig = Rig::new().await;
    rig.catcher.faults().add(Fault::hang(Stage::Rcpt).times(1));
    let at_rcpt = rig.catcher.stages().next(Stage::Rcpt);
    let worker = rig.start_with(SOON).await;
    let id = rig.register(ADA).await;
    at_rcpt.await;

    worker.stop().await;

    let story = rig.story(id).await;
    assert_eq!((story.mail.state.as_str(), story.mail.tries), ("queued", 0));
    assert!(story.tries.is_empty());
}

#[tokio::test]
async fn a_mail_that_hangs_after_its_dot_goes_back_as_cut_off() {
    let rig = Rig::new().await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).storing().times(1));
    let at_dot = rig.catcher.stages().next(Stage::EndOfData);
    let worker = rig.start_with(SOON).await;
    let id = rig.register(ADA).await;
    at_dot.await;

    worker.stop().await;
    let stopped = rig.story(id).await;
    let next = rig.start().await;
    let story = rig.reaches(id, "delivered").await;
    next.stop().await;

    assert_eq!(stopped.mail.state, "waiting");
    assert_eq!(outcomes(&stopped), ["cut_off"]);
    assert_eq!(outcomes(&story), ["cut_off", "delivered"]);
    assert_eq!(rig.catcher.inbox().accepted(), 2);
}
