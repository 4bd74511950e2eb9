//! No dead code is ever mailed.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::rig::{PATIENCE, Rig};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn a_code_used_before_its_mail_went_out_is_not_mailed() {
    let rig = Rig::new().await;
    // The relay takes the first mail and is gone when the second, with the same code, is asked for.
    let worker = rig.start().await;
    rig.register(ADA).await;
    let mail = rig
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    rig.catcher.faults().refuse_connections().await.unwrap();
    rig.catcher.faults().cut_connections().await.unwrap();
    rig.advance(Duration::from_secs(1));
    let second = rig.ask_again(ADA).await;
    rig.reaches(second, "waiting").await;

    assert!(rig.verify(ADA, &mail.code().unwrap(), None).await);
    rig.catcher.faults().accept_connections().await.unwrap();
    rig.advance_to_next_try(second).await;
    let story = rig.reaches(second, "not_needed").await;
    worker.stop().await;

    assert_eq!(story.mail.reason.as_deref(), Some("its code has been used"));
    assert_eq!(rig.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_code_used_between_data_and_dot_is_not_mailed() {
    let rig = Rig::new().await;
    let worker = rig.start().await;
    rig.register(ADA).await;
    let mail = rig
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    rig.catcher.faults().add(Fault::hang(Stage::Data).times(1));
    let at_data = rig.catcher.stages().next(Stage::Data);
    rig.advance(Duration::from_secs(1));
    let second = rig.ask_again(ADA).await;
    at_data.await;

    assert!(rig.verify(ADA, &mail.code().unwrap(), None).await);
    rig.catcher.faults().release();
    rig.reaches(second, "not_needed").await;
    worker.stop().await;

    assert_eq!(rig.catcher.inbox().accepted(), 1);
    assert_eq!(rig.catcher.stages().count(Stage::EndOfData), 1);
}

#[tokio::test]
async fn a_code_whose_time_is_over_is_not_mailed() {
    let rig = Rig::new().await;
    rig.catcher.faults().refuse_connections().await.unwrap();
    let worker = rig.start().await;
    let id = rig.register(ADA).await;
    rig.reaches(id, "waiting").await;

    rig.advance(Duration::from_mins(10));
    rig.catcher.faults().accept_connections().await.unwrap();
    rig.reaches(id, "expired").await;
    worker.stop().await;

    assert_eq!(rig.catcher.inbox().accepted(), 0);
}

#[tokio::test]
async fn a_first_try_starts_a_second_before_the_code_dies() {
    let rig = Rig::new().await;
    let id = rig.register(ADA).await;
    rig.advance(Duration::from_secs(599));

    let worker = rig.start().await;
    rig.reaches(id, "delivered").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_code_that_was_replaced_is_not_mailed_but_the_new_one_is() {
    let rig = Rig::new().await;
    rig.catcher.faults().refuse_connections().await.unwrap();
    let worker = rig.start().await;
    let first = rig.register(ADA).await;
    rig.reaches(first, "waiting").await;
    rig.advance(Duration::from_secs(301));

    let second = rig.ask_again(ADA).await;
    rig.catcher.faults().accept_connections().await.unwrap();
    rig.advance(Duration::from_secs(5));
    let dead = rig.reaches(first, "not_needed").await;
    // It may have been tried while the relay was still away.
    rig.advance(Duration::from_secs(5));
    rig.reaches(second, "delivered").await;
    worker.stop().await;

    assert_eq!(dead.mail.reason.as_deref(), Some("a newer code was made"));
    assert_eq!(rig.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn the_mail_of_an_attempt_that_lost_is_not_needed() {
    let rig = Rig::new().await;
    let worker = rig.start().await;
    let (_, handle) = rig.register_with_handle(ADA).await;
    let mail = rig
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    rig.catcher.faults().refuse_connections().await.unwrap();
    rig.catcher.faults().cut_connections().await.unwrap();
    rig.advance(Duration::from_secs(1));
    let loser = rig.register_as("mallory", ADA).await;
    rig.reaches(loser, "waiting").await;

    assert!(rig.verify(ADA, &mail.code().unwrap(), Some(&handle)).await);
    rig.catcher.faults().accept_connections().await.unwrap();
    rig.advance_to_next_try(loser).await;
    rig.reaches(loser, "not_needed").await;
    worker.stop().await;

    assert_eq!(rig.catcher.inbox().accepted(), 1);
}
