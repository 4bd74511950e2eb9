//! A wall clock that is set back does not strand what waits in the queue.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::rig::Rig;

const ADA: &str = "ada@example.com";
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_mail_asked_for_before_the_clock_was_set_back_an_hour_is_delivered() {
    let rig = Rig::new().await;
    let id = rig.register(ADA).await;
    rig.set_back(HOUR);

    let worker = rig.start().await;
    let story = rig.reaches(id, "delivered").await;
    worker.stop().await;

    assert_eq!(story.mail.tries, 1);
}

#[tokio::test]
async fn a_mail_that_waits_for_its_next_try_is_tried_again() {
    let rig = Rig::new().await;
    let later = Fault::reply(Stage::Rcpt, 450, "4.2.1 Mailbox busy");
    rig.catcher.faults().add(later.times(1));
    let worker = rig.start().await;
    let id = rig.register(ADA).await;
    rig.has_tries(id, 1).await;

    rig.set_back(HOUR);
    rig.reaches(id, "delivered").await;
    worker.stop().await;
}
