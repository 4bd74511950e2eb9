//! A mail without trouble.

use crate::harness::{Harness, PATIENCE, outcomes};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn a_mail_is_delivered_once_with_its_jobs_id_and_a_code_that_only_the_text_holds() {
    let harness = Harness::new().await;
    let worker = harness.start().await;

    let id = harness.register(ADA).await;
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    let story = harness.reaches(id, "delivered").await;
    worker.stop().await;

    let code = mail.code().expect("the text has the line with the code");
    assert_eq!(harness.catcher.inbox().accepted(), 1);
    assert_eq!(
        mail.message_id(),
        Some(format!("{id}@example.com").as_str())
    );
    assert_eq!(mail.envelope_to, [ADA]);
    assert!(!mail.subject().unwrap().contains(&code));
    assert_eq!(
        mail.header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert_eq!(outcomes(&story), ["delivered"]);
    assert_eq!((story.tries[0].code, story.mail.tries), (Some(250), 1));
    assert!(!format!("{story:?}").contains(&code), "no row holds a code");
}

#[tokio::test]
async fn the_code_in_the_mail_verifies() {
    let harness = Harness::new().await;
    let worker = harness.start().await;

    harness.register(ADA).await;
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    let verified = harness.verify(ADA, &mail.code().unwrap(), None).await;
    worker.stop().await;

    assert!(verified);
}

#[tokio::test]
async fn a_resend_is_another_mail_with_the_same_code() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    harness.register(ADA).await;
    let first = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();

    harness.advance(std::time::Duration::from_secs(1));
    harness.ask_again(ADA).await;
    let second = harness
        .catcher
        .inbox()
        .wait_for(ADA, 2, PATIENCE)
        .await
        .unwrap();
    worker.stop().await;

    assert_eq!(first.code(), second.code());
    assert_ne!(first.message_id(), second.message_id());
}

#[tokio::test]
async fn a_mail_that_waited_before_the_worker_started_is_delivered() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;

    let worker = harness.start().await;
    harness.reaches(id, "delivered").await;
    worker.stop().await;

    assert_eq!(harness.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn an_owner_of_a_verified_address_is_told_without_a_code() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    harness.register(ADA).await;
    let first = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    assert!(harness.verify(ADA, &first.code().unwrap(), None).await);
    harness.advance(std::time::Duration::from_secs(1));

    let id = harness.register_as("mallory", ADA).await;
    let notice = harness
        .catcher
        .inbox()
        .wait_for(ADA, 2, PATIENCE)
        .await
        .unwrap();
    harness.reaches(id, "delivered").await;
    worker.stop().await;

    assert_eq!(notice.code(), None);
}
