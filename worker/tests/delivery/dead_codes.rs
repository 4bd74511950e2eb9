//! No dead code is ever mailed.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::harness::{Harness, PATIENCE};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn a_code_used_before_its_mail_went_out_is_not_mailed() {
    let harness = Harness::new().await;
    // The relay takes the first mail and is gone when the second, with the same code, is asked for.
    let worker = harness.start().await;
    harness.register(ADA).await;
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    harness.catcher.faults().refuse_connections().await.unwrap();
    harness.catcher.faults().cut_connections().await.unwrap();
    harness.advance(Duration::from_secs(1));
    let second = harness.ask_again(ADA).await;
    harness.reaches(second, "waiting").await;

    assert!(harness.verify(ADA, &mail.code().unwrap(), None).await);
    harness.catcher.faults().accept_connections().await.unwrap();
    harness.advance_to_next_attempt(second).await;
    let story = harness.reaches(second, "not_needed").await;
    worker.stop().await;

    assert_eq!(story.mail.reason.as_deref(), Some("its code has been used"));
    assert_eq!(harness.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_code_used_between_data_and_dot_is_not_mailed() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    harness.register(ADA).await;
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::Data).times(1));
    let at_data = harness.catcher.stages().next(Stage::Data);
    harness.advance(Duration::from_secs(1));
    let second = harness.ask_again(ADA).await;
    at_data.await;

    assert!(harness.verify(ADA, &mail.code().unwrap(), None).await);
    harness.catcher.faults().release();
    harness.reaches(second, "not_needed").await;
    worker.stop().await;

    assert_eq!(harness.catcher.inbox().accepted(), 1);
    assert_eq!(harness.catcher.stages().count(Stage::EndOfData), 1);
}

#[tokio::test]
async fn a_code_whose_time_is_over_is_not_mailed() {
    let harness = Harness::new().await;
    harness.catcher.faults().refuse_connections().await.unwrap();
    let worker = harness.start().await;
    let id = harness.register(ADA).await;
    harness.reaches(id, "waiting").await;

    harness.advance(Duration::from_mins(10));
    harness.catcher.faults().accept_connections().await.unwrap();
    harness.reaches(id, "expired").await;
    worker.stop().await;

    assert_eq!(harness.catcher.inbox().accepted(), 0);
}

#[tokio::test]
async fn a_first_try_starts_a_second_before_the_code_dies() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;
    harness.advance(Duration::from_secs(599));

    let worker = harness.start().await;
    harness.reaches(id, "delivered").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_code_that_was_replaced_is_not_mailed_but_the_new_one_is() {
    let harness = Harness::new().await;
    harness.catcher.faults().refuse_connections().await.unwrap();
    let worker = harness.start().await;
    let first = harness.register(ADA).await;
    harness.reaches(first, "waiting").await;
    harness.advance(Duration::from_secs(301));

    let second = harness.ask_again(ADA).await;
    harness.catcher.faults().accept_connections().await.unwrap();
    harness.advance(Duration::from_secs(5));
    let dead = harness.reaches(first, "not_needed").await;
    // It may have been tried while the relay was still away.
    harness.advance(Duration::from_secs(5));
    harness.reaches(second, "delivered").await;
    worker.stop().await;

    assert_eq!(dead.mail.reason.as_deref(), Some("a newer code was made"));
    assert_eq!(harness.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn the_mail_of_an_attempt_that_lost_is_not_needed() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let (_, handle) = harness.register_with_handle(ADA).await;
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    harness.catcher.faults().refuse_connections().await.unwrap();
    harness.catcher.faults().cut_connections().await.unwrap();
    harness.advance(Duration::from_secs(1));
    let loser = harness.register_as("mallory", ADA).await;
    harness.reaches(loser, "waiting").await;

    assert!(
        harness
            .verify(ADA, &mail.code().unwrap(), Some(&handle))
            .await
    );
    harness.catcher.faults().accept_connections().await.unwrap();
    harness.advance_to_next_attempt(loser).await;
    harness.reaches(loser, "not_needed").await;
    worker.stop().await;

    assert_eq!(harness.catcher.inbox().accepted(), 1);
}
