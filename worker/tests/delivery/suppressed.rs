//! An address that the relay has refused for good gets no more mail for a while, and the relay no more questions.

use std::time::Duration;

use devmail::{Fault, Stage};
use domain::audit::Actor;
use domain::email::EmailAddress;
use domain::operator::{PauseQueue, ReleaseHeld, ResumeQueue, RetryMail, Unsuppress};

use crate::harness::{Harness, outcomes};

const GONE: &str = "ada@bounce.test";
const HOURS: &str = "SMART_NOTES__WORKER__SUPPRESS_REFUSED_HOURS";

fn operator() -> Actor {
    Actor::operator("a test".to_owned())
}

#[tokio::test]
async fn the_next_mail_to_a_refused_address_reaches_for_no_relay_and_says_why() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let refused = harness.register(GONE).await;
    harness.reaches(refused, "undeliverable").await;
    harness.advance(Duration::from_secs(1));

    let next = harness.register("Ada@BOUNCE.test").await;
    let story = harness.reaches(next, "undeliverable").await;
    worker.stop().await;

    let reason = story.mail.reason.unwrap();
    assert!(story.tries.is_empty(), "{:?}", story.tries);
    assert_eq!(story.mail.tries, 0);
    for words in [
        "its address is suppressed",
        "550 5.1.1 No such mailbox",
        &refused.to_string(),
    ] {
        assert!(reason.contains(words), "no `{words}` in {reason}");
    }
}

#[tokio::test]
async fn the_relay_is_asked_again_when_the_time_is_over_or_an_operator_says_so() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let first = harness.register(GONE).await;
    harness.reaches(first, "undeliverable").await;

    harness.advance(Duration::from_hours(24));
    let second = harness.register(GONE).await;
    let after_a_day = harness.reaches(second, "undeliverable").await;
    let lift = Unsuppress {
        to: EmailAddress::parse(GONE).unwrap().key().clone(),
        actor: operator(),
        now: harness.clock.now(),
    };
    let lifted = harness.database.store.write(lift).await.unwrap();
    harness.advance(Duration::from_secs(1));
    let third = harness.register(GONE).await;
    let after_lifting = harness.reaches(third, "undeliverable").await;
    worker.stop().await;

    assert_eq!(outcomes(&after_a_day), ["recipient_refused"]);
    assert_eq!(lifted.unwrap().mail, second);
    assert_eq!(outcomes(&after_lifting), ["recipient_refused"]);
}

#[tokio::test]
async fn a_suppressed_mail_that_is_retried_is_sent_if_the_relay_takes_it_now() {
    let harness = Harness::new().await;
    let unknown = Fault::reply(Stage::Rcpt, 550, "5.1.1 Not yet made");
    harness.catcher.faults().add(unknown.times(1));
    let worker = harness.start().await;
    let refused = harness.register("ada@example.com").await;
    harness.reaches(refused, "undeliverable").await;
    harness.advance(Duration::from_secs(1));
    let suppressed = harness.register("ada@example.com").await;
    harness.reaches(suppressed, "undeliverable").await;

    let retry = RetryMail {
        mail: suppressed,
        actor: operator(),
        now: harness.clock.now(),
    };
    let retried = harness.database.store.write(retry).await.unwrap().unwrap();
    let story = harness.reaches(suppressed, "delivered").await;
    worker.stop().await;

    assert_eq!(retried.lifted.unwrap().mail, refused);
    assert_eq!(outcomes(&story), ["delivered"]);
}

#[tokio::test]
async fn a_refusal_of_the_content_suppresses_no_address() {
    let harness = Harness::new().await;
    let spam = Fault::reply(Stage::EndOfData, 550, "5.1.1 Looks like spam to us");
    harness.catcher.faults().add(spam.times(1));
    let worker = harness.start().await;
    let refused = harness.register("ada@example.com").await;
    harness.reaches(refused, "undeliverable").await;
    harness.advance(Duration::from_secs(1));

    let next = harness.register("ada@example.com").await;
    harness.reaches(next, "delivered").await;
    worker.stop().await;
}

#[tokio::test]
async fn with_the_setting_at_zero_every_mail_is_tried() {
    let harness = Harness::new().await;
    let worker = harness.start_with(&[(HOURS, "0")]).await;
    let first = harness.register(GONE).await;
    harness.reaches(first, "undeliverable").await;
    harness.advance(Duration::from_secs(1));

    let second = harness.register(GONE).await;
    let story = harness.reaches(second, "undeliverable").await;
    worker.stop().await;

    assert_eq!(outcomes(&story), ["recipient_refused"]);
}

/// A dead code is dead first: that is what its owner has to know.
#[tokio::test]
async fn a_dead_code_to_a_suppressed_address_ends_as_expired() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let first = harness.register(GONE).await;
    harness.reaches(first, "undeliverable").await;
    worker.stop().await;
    harness.advance(Duration::from_secs(1));
    let late = harness.register(GONE).await;
    harness.advance(Duration::from_mins(10));

    let worker = harness.start().await;
    harness.reaches(late, "expired").await;
    worker.stop().await;
}

/// A running worker hears of a pause and of its end by the commit alone.
#[tokio::test]
async fn a_running_worker_honours_a_pause_and_its_end() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let kind = Some(domain::mail::MailKind::VerifyEmail);
    let pause = PauseQueue {
        kind,
        reason: String::new(),
        actor: operator(),
        now: harness.clock.now(),
    };
    harness.database.store.write(pause).await.unwrap();
    let held = harness.register("ada@example.com").await;
    crate::harness::until("the worker has found it paused", async || {
        let count: i64 =
            sqlx::query_scalar("select count(*) from mails where held_run_at is not null")
                .fetch_one(&mut harness.outside().await)
                .await
                .unwrap();
        count == 1
    })
    .await;
    let during = harness.story(held).await;

    let resume = ResumeQueue {
        kind: None,
        actor: operator(),
        now: harness.clock.now(),
    };
    harness.database.store.write(resume).await.unwrap();
    while harness.database.store.write(ReleaseHeld).await.unwrap() > 0 {}
    let story = harness.reaches(held, "delivered").await;
    worker.stop().await;

    assert_eq!(during.mail.state, "queued");
    assert_eq!(outcomes(&story), ["delivered"]);
}
