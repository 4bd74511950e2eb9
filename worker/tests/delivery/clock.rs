//! A wall clock that is set back does not strand what waits in the queue.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::harness::Harness;

const ADA: &str = "ada@example.com";
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_mail_asked_for_before_the_clock_was_set_back_an_hour_is_delivered() {
    let harness = Harness::new().await;
    let id = harness.register(ADA).await;
    harness.set_back(HOUR);

    let worker = harness.start().await;
    let story = harness.reaches(id, "delivered").await;
    worker.stop().await;

    assert_eq!(story.mail.tries, 1);
}

#[tokio::test]
async fn a_mail_that_waits_for_its_next_try_is_tried_again() {
    let harness = Harness::new().await;
    let later = Fault::reply(Stage::Rcpt, 450, "4.2.1 Mailbox busy");
    harness.catcher.faults().add(later.times(1));
    let worker = harness.start().await;
    let id = harness.register(ADA).await;
    harness.has_attempts(id, 1).await;

    harness.set_back(HOUR);
    harness.reaches(id, "delivered").await;
    worker.stop().await;
}
