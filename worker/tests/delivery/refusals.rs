//! What the relay says no to, and how often it is asked again.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::harness::{Harness, outcomes};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn greylisting_is_met_on_the_schedule_and_the_mail_delivered_once() {
    let harness = Harness::new().await;
    let greylist = Fault::reply(Stage::Rcpt, 451, "4.7.1 Greylisted, come back");
    harness
        .catcher
        .faults()
        .add(greylist.times_per_recipient(2));
    let worker = harness.start().await;
    let id = harness.register(ADA).await;

    let mut pauses = Vec::new();
    for tries in 1..=2 {
        let story = harness.has_attempts(id, tries).await;
        let again = story.mail.again_at.unwrap();
        pauses.push(again.duration_since(harness.clock.now()).as_millis());
        assert_eq!(story.mail.state, "waiting");
        harness.advance_to_next_attempt(id).await;
    }
    let story = harness.reaches(id, "delivered").await;
    worker.stop().await;

    // A fifth either way, and up to the next whole second.
    assert!((4_000..7_000).contains(&pauses[0]), "{pauses:?}");
    assert!((8_000..13_000).contains(&pauses[1]), "{pauses:?}");
    assert_eq!(
        outcomes(&story),
        ["recipient_later", "recipient_later", "delivered"]
    );
    assert_eq!(story.tries[0].enhanced.as_deref(), Some("4.7.1"));
    assert_eq!(
        (story.tries[0].stage.as_str(), story.mail.tries),
        ("rcpt", 3)
    );
    assert_eq!(harness.catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_recipient_who_always_says_later_expires_before_the_code_does() {
    let harness = Harness::new().await;
    let later = Fault::reply(Stage::Rcpt, 450, "4.2.1 Mailbox busy");
    harness.catcher.faults().add(later);
    let worker = harness.start().await;
    let id = harness.register(ADA).await;

    for tries in 1..=6 {
        let story = harness.has_attempts(id, tries).await;
        assert_eq!(story.mail.state, "waiting", "after {tries} tries");
        harness.advance_to_next_attempt(id).await;
    }
    let story = harness.reaches(id, "expired").await;
    worker.stop().await;

    assert_eq!(story.mail.tries, 7);
    assert!(harness.clock.now() < story.mail.created + Duration::from_mins(10));
    assert_eq!(harness.catcher.inbox().accepted(), 0);
}

#[tokio::test]
async fn an_unknown_mailbox_is_undeliverable_at_once() {
    let harness = Harness::new().await;
    let worker = harness.start().await;

    let id = harness.register("ada@bounce.test").await;
    let story = harness.reaches(id, "undeliverable").await;
    worker.stop().await;

    assert_eq!(outcomes(&story), ["recipient_refused"]);
    assert_eq!(story.tries[0].code, Some(550));
    assert!(story.mail.reason.unwrap().contains("No such mailbox"));
    assert_eq!(story.mail.tries, 1);
}

#[tokio::test]
async fn a_refused_recipient_keeps_no_other_waiting() {
    let harness = Harness::new().await;
    let worker = harness
        .start_with(&[("SMART_NOTES__WORKER__CONCURRENCY", "1")])
        .await;

    let refused = harness.register("ada@bounce.test").await;
    let other = harness.register("bob@example.com").await;
    harness.reaches(refused, "undeliverable").await;
    harness.reaches(other, "delivered").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_relay_that_is_down_costs_no_try_and_mails_flow_when_it_is_back() {
    let harness = Harness::new().await;
    harness.catcher.faults().refuse_connections().await.unwrap();
    let worker = harness.start().await;
    let first = harness.register(ADA).await;
    let second = harness.register("bob@example.com").await;
    let down = harness.has_attempts(first, 1).await;
    harness.advance_to_next_attempt(first).await;
    harness.has_attempts(first, 2).await;

    harness.catcher.faults().accept_connections().await.unwrap();
    harness.advance(Duration::from_secs(10));
    let story = harness.reaches(first, "delivered").await;
    harness.advance(Duration::from_secs(10));
    harness.reaches(second, "delivered").await;
    worker.stop().await;

    assert_eq!((down.mail.state.as_str(), down.mail.tries), ("waiting", 0));
    assert_eq!(outcomes(&down), ["relay_trouble"]);
    assert_eq!(story.mail.tries, 1, "only the delivery counts");
    assert_eq!(harness.catcher.inbox().accepted(), 2);
}

#[tokio::test]
async fn a_relay_in_trouble_at_any_stage_before_the_end_of_data_costs_no_attempt() {
    for (stage, code, text) in [
        (Stage::Connect, 421, "4.3.2 Going down"),
        (Stage::Mail, 451, "4.3.0 Not now"),
        (Stage::Rcpt, 421, "4.7.0 Too many mails"),
        (Stage::Data, 421, "4.3.2 Going down"),
    ] {
        let harness = Harness::new().await;
        harness
            .catcher
            .faults()
            .add(Fault::reply(stage, code, text).times(1));
        let worker = harness.start().await;
        let id = harness.register(ADA).await;
        let trouble = harness.has_attempts(id, 1).await;

        harness.advance_to_next_attempt(id).await;
        harness.reaches(id, "delivered").await;
        worker.stop().await;

        assert_eq!(trouble.mail.tries, 0, "{stage}");
        assert_eq!(outcomes(&trouble), ["relay_trouble"], "{stage}");
        assert_eq!(harness.catcher.inbox().accepted(), 1, "{stage}");
    }
}

#[tokio::test]
async fn a_relay_that_refuses_us_costs_no_attempt() {
    let harness = Harness::new().await;
    let denied = Fault::reply(Stage::Mail, 550, "5.7.1 Sender rejected");
    harness.catcher.faults().add(denied.times(1));
    let worker = harness.start().await;
    let id = harness.register(ADA).await;

    let refused = harness.has_attempts(id, 1).await;
    harness.advance_to_next_attempt(id).await;
    harness.reaches(id, "delivered").await;
    worker.stop().await;

    assert_eq!(
        (refused.mail.state.as_str(), refused.mail.tries),
        ("waiting", 0)
    );
    assert_eq!(outcomes(&refused), ["relay_refuses_us"]);
}
