//! A domain to which little is mailed, and at some of whose recipients relays hang or break off: a stranger may have
//! registered these for that. Mails to other recipients there do not wait for theirs.

use devmail::{Fault, Stage};
use domain::id::MailId;

use crate::harness::{Harness, until};

const BAD: usize = 20;
const GOOD: usize = 22;

/// Few, so that mails that hang fill the slow lane at once.
const FEW_SLOTS: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__CONCURRENCY", "4"),
    ("SMART_NOTES__SMTP__MAX_CONNECTIONS", "4"),
];

async fn register(harness: &Harness, name: &str, count: usize) -> Vec<MailId> {
    let mut mails = Vec::new();
    for n in 0..count {
        mails.push(harness.register(&format!("{name}{n}@quiet.test")).await);
    }
    mails
}

/// How many attempts at each of some mails are on record.
async fn attempts(harness: &Harness, mails: &[MailId]) -> Vec<usize> {
    let mut attempts = Vec::new();
    for id in mails {
        attempts.push(harness.story(*id).await.tries.len());
    }
    attempts
}

/// The bad ones first, until their domain is known to fail; then the good ones. Nothing else was ever mailed.
async fn bad_recipients_come_first(fault: impl Fn() -> Fault) {
    let harness = Harness::in_real_time(FEW_SLOTS).await;
    for n in 0..BAD {
        let fault = fault().to(&format!("bad{n}@quiet.test"));
        harness.catcher.faults().add(fault);
    }
    let worker = harness.start().await;
    let bad = register(&harness, "bad", BAD).await;
    until("the domain fails", async || {
        let failed = attempts(&harness, &bad).await;
        failed.iter().filter(|attempts| **attempts > 0).count() >= 3
    })
    .await;

    for id in register(&harness, "good", GOOD).await {
        harness.reaches(id, "delivered").await;
    }
    let most = attempts(&harness, &bad).await.into_iter().max();
    let accepted = harness.catcher.inbox().accepted();
    harness.catcher.faults().clear();
    harness.catcher.faults().release();
    worker.stop().await;

    assert!(most < Some(3), "{most:?} attempts at one that fails");
    assert_eq!(accepted, GOOD as u64, "each once");
}

#[tokio::test]
async fn recipients_for_which_a_relay_closes_the_channel_keep_no_mail_to_their_domain() {
    bad_recipients_come_first(|| Fault::reply(Stage::Rcpt, 421, "4.3.2 Busy")).await;
}

#[tokio::test]
async fn recipients_at_which_a_relay_hangs_up_keep_no_mail_to_their_domain() {
    bad_recipients_come_first(|| Fault::cut(Stage::Rcpt)).await;
}

#[tokio::test]
async fn recipients_at_which_a_relay_hangs_keep_no_mail_to_their_domain() {
    bad_recipients_come_first(|| Fault::hang(Stage::Rcpt)).await;
}
