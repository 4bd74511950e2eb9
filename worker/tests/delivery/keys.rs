//! A worker that was told another secret key than the API.

use std::time::Duration;

use crate::harness::{Harness, KEY, PATIENCE};

const ADA: &str = "ada@example.com";
const OTHER: &str = "another example key, which is long enough too";

#[tokio::test]
async fn a_mail_whose_key_is_missing_waits_with_the_reason_and_is_never_mailed() {
    let harness = Harness::new().await;
    let stranger = harness.start_with(&[("SECRET_KEY", OTHER)]).await;
    let id = harness.register(ADA).await;
    let story = harness.reaches(id, "waiting").await;
    stranger.stop().await;

    let knows = harness.start().await;
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    harness.reaches(id, "delivered").await;
    knows.stop().await;

    let reason = story.mail.reason.unwrap();
    assert!(
        reason.contains("waits for a worker that has the secret key"),
        "{reason}"
    );
    assert!(!reason.contains(KEY), "only its fingerprint");
    assert_eq!((story.mail.tries, story.tries.len()), (0, 0));
    assert!(harness.verify(ADA, &mail.code().unwrap(), None).await);
    assert_eq!(harness.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_worker_that_lacks_the_key_leaves_the_mail_to_one_that_has_it() {
    let harness = Harness::new().await;
    let lacks = harness.start_with(&[("SECRET_KEY", OTHER)]).await;
    let waits = harness.register(ADA).await;
    harness.reaches(waits, "waiting").await;

    let has = harness.start().await;
    let later = harness.register("bob@example.com").await;
    harness.reaches(waits, "delivered").await;
    harness.reaches(later, "delivered").await;
    has.stop().await;
    lacks.stop().await;

    // No worker claimed either of them in vain.
    for (mail, claims) in harness.claims().await {
        assert_eq!(claims, 1, "{mail}");
    }
}

#[tokio::test]
async fn a_former_key_among_the_fallbacks_still_makes_its_codes() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;

    let worker = harness
        .start_with(&[("SECRET_KEY", OTHER), ("SECRET_KEY_FALLBACKS", KEY)])
        .await;
    harness.advance(Duration::from_secs(1));
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    harness.reaches(id, "delivered").await;
    worker.stop().await;

    assert!(harness.verify(ADA, &mail.code().unwrap(), None).await);
}
