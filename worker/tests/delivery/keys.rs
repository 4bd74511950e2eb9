//! A worker that was told another secret key than the API.

use std::time::Duration;

use crate::rig::{KEY, PATIENCE, Rig};

const ADA: &str = "ada@example.com";
const OTHER: &str = "another example key, which is long enough too";

#[tokio::test]
async fn a_mail_whose_key_is_missing_waits_with_the_reason_and_is_never_mailed() {
    let rig = Rig::new().await;
    let stranger = rig.start_with(&[("SECRET_KEY", OTHER)]).await;
    let id = rig.register(ADA).await;
    let story = rig.reaches(id, "waiting").await;
    stranger.stop().await;

    let knows = rig.start().await;
    let mail = rig
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    rig.reaches(id, "delivered").await;
    knows.stop().await;

    let reason = story.mail.reason.unwrap();
    assert!(
        reason.contains("waits for a worker that has the secret key"),
        "{reason}"
    );
    assert!(!reason.contains(KEY), "only its fingerprint");
    assert_eq!((story.mail.tries, story.tries.len()), (0, 0));
    assert!(rig.verify(ADA, &mail.code().unwrap(), None).await);
    assert_eq!(rig.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_worker_that_lacks_the_key_leaves_the_mail_to_one_that_has_it() {
    let rig = Rig::new().await;
    let lacks = rig.start_with(&[("SECRET_KEY", OTHER)]).await;
    let waits = rig.register(ADA).await;
    rig.reaches(waits, "waiting").await;

    let has = rig.start().await;
    let later = rig.register("bob@example.com").await;
    rig.reaches(waits, "delivered").await;
    rig.reaches(later, "delivered").await;
    has.stop().await;
    lacks.stop().await;

    // Nobody claimed either of them in vain.
    for (mail, claims) in rig.claims().await {
        assert_eq!(claims, 1, "{mail}");
    }
}

#[tokio::test]
async fn a_former_key_among_the_fallbacks_still_makes_its_codes() {
    let rig = Rig::new().await;
    let id = rig.register(ADA).await;

    let worker = rig
        .start_with(&[("SECRET_KEY", OTHER), ("SECRET_KEY_FALLBACKS", KEY)])
        .await;
    rig.advance(Duration::from_secs(1));
    let mail = rig
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    rig.reaches(id, "delivered").await;
    worker.stop().await;

    assert!(rig.verify(ADA, &mail.code().unwrap(), None).await);
}
