//! Attempts without a readable answer after the end of data: at most one more, as the same message.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::harness::{Harness, outcomes};

const ADA: &str = "ada@example.com";

/// Delivers a mail under a fault that strikes the first `times` ends of data; returns how it ended and how
/// many mails the relay took.
async fn deliver_under(fault: Fault, times: u32, end: &'static str) -> (Vec<String>, u64) {
    let harness = Harness::new().await;
    harness.catcher.faults().add(fault.times(times));
    let worker = harness.start().await;
    let id = harness.register(ADA).await;
    harness.has_attempts(id, 1).await;
    harness.advance_to_next_attempt(id).await;
    let story = harness.reaches(id, end).await;
    // However long one waits, there is no third.
    harness.advance(Duration::from_hours(1));
    let other = harness.register("bob@example.com").await;
    harness.advance(Duration::from_secs(5));
    harness.reaches(other, "delivered").await;
    worker.stop().await;

    let to_ada = harness.catcher.inbox().to(ADA);
    for mail in &to_ada {
        assert_eq!(
            mail.message_id(),
            Some(format!("{id}@example.com").as_str())
        );
        assert_eq!(mail.raw, to_ada[0].raw, "the same message to the byte");
    }
    let outcomes = outcomes(&story).into_iter().map(str::to_owned).collect();
    (outcomes, to_ada.len() as u64)
}

#[tokio::test]
async fn a_cut_before_the_answer_is_tried_once_more() {
    let (tries, taken) = deliver_under(Fault::cut(Stage::EndOfData), 1, "delivered").await;

    assert_eq!(tries, ["uncertain", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn a_mail_stored_without_an_answer_is_sent_twice_under_one_message_id() {
    let (tries, taken) =
        deliver_under(Fault::cut(Stage::EndOfData).storing(), 1, "delivered").await;

    assert_eq!(tries, ["uncertain", "delivered"]);
    assert_eq!(taken, 2);
}

#[tokio::test]
async fn a_second_cut_is_the_last() {
    let (tries, taken) = deliver_under(Fault::cut(Stage::EndOfData), 2, "undeliverable").await;

    assert_eq!(tries, ["uncertain", "uncertain"]);
    assert_eq!(taken, 0);
}

#[tokio::test]
async fn a_mail_stored_twice_without_an_answer_is_never_sent_a_third_time() {
    let (tries, taken) =
        deliver_under(Fault::cut(Stage::EndOfData).storing(), 2, "undeliverable").await;

    assert_eq!(tries, ["uncertain", "uncertain"]);
    assert_eq!(taken, 2);
}

#[tokio::test]
async fn a_strange_yes_to_the_dot_is_no_delivery() {
    let strange = Fault::reply(Stage::EndOfData, 251, "2.1.5 Will forward");

    let (tries, taken) = deliver_under(strange, 1, "delivered").await;

    assert_eq!(tries, ["uncertain", "delivered"]);
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn a_clear_no_to_the_dot_is_no_cut() {
    let harness = Harness::new().await;
    let full = Fault::reply(Stage::EndOfData, 452, "4.2.2 Mailbox full");
    harness.catcher.faults().add(full.times(1));
    let worker = harness.start().await;
    let id = harness.register(ADA).await;

    harness.has_attempts(id, 1).await;
    harness.advance_to_next_attempt(id).await;
    let story = harness.reaches(id, "delivered").await;
    worker.stop().await;

    assert_eq!(outcomes(&story), ["recipient_later", "delivered"]);
}
