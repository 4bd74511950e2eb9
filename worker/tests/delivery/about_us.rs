//! A relay that says of single mails that it does not take them because of us: strangers may have chosen these.

use devmail::{Fault, Stage};
use domain::relay::RelayState;

use crate::harness::{Harness, until};

/// What relays say of us, at the stage at which they do.
const REPLIES: &[(Stage, u16, &str)] = &[
    (Stage::Rcpt, 535, "5.7.8 Authentication credentials invalid"),
    (Stage::Rcpt, 550, "5.7.26 This mail is unauthenticated"),
    (
        Stage::EndOfData,
        550,
        "5.4.5 Daily user sending limit exceeded",
    ),
    (
        Stage::EndOfData,
        454,
        "Throttling failure: Daily message quota exceeded.",
    ),
];

/// Few mails are sent, so that none gets through between those that are refused.
#[tokio::test]
async fn a_relay_that_refuses_chosen_recipients_because_of_us_takes_others_at_once() {
    for (stage, code, text) in REPLIES {
        let harness = Harness::in_real_time(&[]).await;
        let domains = ["one.test", "two.test", "three.test", "four.test"];
        for domain in domains {
            let refuses = Fault::reply(*stage, *code, text).to_domain(domain);
            harness.catcher.faults().add(refuses);
        }
        let worker = harness.start().await;
        for domain in domains {
            let refused = harness.register(&format!("ada@{domain}")).await;
            harness.has_attempts(refused, 1).await;
        }

        let other = harness.register("bob@example.com").await;
        let story = harness.reaches(other, "delivered").await;
        let posted = harness
            .database
            .store
            .reader()
            .await
            .unwrap()
            .posted_relays()
            .await
            .unwrap();
        worker.stop().await;

        assert_eq!(story.tries.len(), 1, "{text}");
        assert_ne!(posted[0].status.state, RelayState::Open, "{text}");
        let connections = harness.catcher.stages().count(Stage::Connect);
        let mails = harness.catcher.stages().count(Stage::Mail);
        assert!(connections <= mails, "{connections} for {mails}: a probe");
    }
}

#[tokio::test]
async fn a_relay_that_takes_no_mail_any_more_because_of_us_is_left_alone_soon() {
    for (stage, code, text) in REPLIES {
        let harness = Harness::in_real_time(&[]).await;
        let worker = harness.start().await;
        let first = harness.register("ada@example.com").await;
        harness.reaches(first, "delivered").await;
        harness
            .catcher
            .faults()
            .add(Fault::reply(*stage, *code, text));

        let mut reason = None;
        let mut sent = 0;
        until("the relay is left alone", async || {
            // Recipients of a few domains, as people register.
            sent += 1;
            harness
                .register(&format!("eve{sent}@domain{}.test", sent % 4))
                .await;
            let posted = harness
                .database
                .store
                .reader()
                .await
                .unwrap()
                .posted_relays()
                .await
                .unwrap();
            let open = posted
                .into_iter()
                .find(|posted| posted.status.state == RelayState::Open);
            reason = open.and_then(|posted| posted.status.reason);
            reason.is_some()
        })
        .await;
        worker.stop().await;

        assert!(reason.unwrap().contains(text), "{text}");
    }
}
