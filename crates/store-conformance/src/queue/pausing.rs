//! Pauses: paused mails are not claimed and wake no worker, and all of them come back.

use std::sync::Arc;

use domain::id::MailId;
use domain::mail::{MailKind, MailState};
use domain::operator::ReleaseHeld;
use domain::queue::{Due, Keys, QueueBatch};
use domain::store::Store;

use crate::Backdoor;
use crate::store::operating::{cancel, pause, resume, retry};
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, enqueue, mail, notice, settle, settlement, story};

const VERIFY: Option<MailKind> = Some(MailKind::VerifyEmail);
const RESET: Option<MailKind> = Some(MailKind::ResetPassword);

async fn code(store: &Store, kind: Option<MailKind>, second: i64) -> MailId {
    enqueue(store, mail(kind.unwrap(), "ada@example.com", at(second))).await
}

async fn claimed(queue: &Store, limit: u32, second: i64) -> Vec<MailId> {
    let claimed = claim(queue, "w", limit, at(second)).await;
    claimed.into_iter().map(|one| one.claim.mail).collect()
}

/// Gives back everything that pauses held; returns in how many steps.
async fn release(store: &Store) -> usize {
    let mut steps = 0;
    while store.write(ReleaseHeld).await.unwrap() > 0 {
        steps += 1;
    }
    steps
}

const NOTHING: Due = Due {
    now: false,
    next: None,
    slow: None,
};

pub async fn nothing_is_claimed_while_the_queue_is_paused_and_everything_after<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let ids = [
        code(&store, VERIFY, 0).await,
        notice(&store, "bob@example.com", at(0)).await,
    ];
    pause(&store, None, "", at(1)).await;

    let during = claimed(&queue, 10, 5).await;
    let due_during = queue.due(&Keys::Any, at(5)).await.unwrap();
    resume(&store, None, at(6)).await;
    let due_after = queue.due(&Keys::Any, at(6)).await.unwrap();

    assert!(during.is_empty());
    assert_eq!(due_during, NOTHING, "no worker is kept busy by it");
    assert!(due_after.now);
    assert_eq!(claimed(&queue, 10, 6).await, ids);
}

pub async fn what_was_claimed_before_the_pause_is_settled_in_it<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let in_flight = claim_one(&queue, "w", at(0)).await;
    pause(&store, None, "", at(1)).await;

    let delivered = settlement(in_flight.claim, MailState::Delivered, at(2));
    let lost = settle(&queue, "w", delivered).await;

    assert!(lost.is_empty());
    assert_eq!(story(&store, id).await.mail.state, "delivered");
}

pub async fn a_paused_kind_waits_while_the_others_go_and_comes_back_in_its_order<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let first = code(&store, VERIFY, 0).await;
    let other = code(&store, RESET, 1).await;
    let second = code(&store, VERIFY, 2).await;
    pause(&store, VERIFY, "", at(3)).await;

    let during = claimed(&queue, 1, 4).await;
    let more = claimed(&queue, 10, 4).await;
    let due = queue.due(&Keys::Any, at(4)).await.unwrap();
    let waiting = story(&store, first).await.mail;
    resume(&store, VERIFY, at(5)).await;
    let steps = release(&store).await;

    assert_eq!((during, more), (vec![other], Vec::new()));
    assert_eq!(due, NOTHING, "what is held wakes nobody");
    assert_eq!(
        (waiting.state.as_str(), waiting.again_at),
        ("queued", None),
        "held, not tried"
    );
    assert_eq!(steps, 1);
    assert_eq!(claimed(&queue, 1, 6).await, [first]);
    assert_eq!(claimed(&queue, 10, 6).await, [second]);
}

/// More others wait than one look takes in.
pub async fn a_paused_kind_waits_from_whichever_end_mails_are_claimed<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    for _ in 0..300 {
        code(&store, RESET, 0).await;
    }
    let paused = code(&store, VERIFY, 1).await;
    pause(&store, VERIFY, "", at(2)).await;

    let mut kinds = Vec::new();
    for trial in [false, true] {
        let batch = QueueBatch {
            claim: 1,
            newest: 1,
            trial,
            ..QueueBatch::default()
        };
        let report = queue.commit("w", Arc::new(batch), at(3)).await.unwrap();
        kinds.extend(report.claimed.into_iter().map(|mail| mail.kind));
    }

    assert_eq!(kinds, [RESET.unwrap(); 2]);
    assert_eq!(story(&store, paused).await.mail.state, "queued");
}

pub async fn a_mail_that_comes_due_in_the_pause_is_held_too<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    pause(&store, VERIFY, "", at(0)).await;
    let id = code(&store, VERIFY, 100).await;

    let before = queue.due(&Keys::Any, at(50)).await.unwrap();
    let due = claimed(&queue, 10, 100).await;
    resume(&store, VERIFY, at(101)).await;
    release(&store).await;

    assert_eq!(before.next, Some(at(100)));
    assert!(due.is_empty());
    assert_eq!(claimed(&queue, 10, 101).await, [id]);
}

/// A backlog of a paused kind is held a few thousand at a time, and costs later claims nothing.
pub async fn a_backlog_of_a_paused_kind_neither_blocks_others_nor_gets_lost<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    for _ in 0..1100 {
        code(&store, VERIFY, 0).await;
    }
    let other = code(&store, RESET, 1).await;
    pause(&store, VERIFY, "", at(2)).await;

    let during = claimed(&queue, 1, 3).await;
    let held = database
        .number("select count(*) from mails where held_run_at is not null")
        .await;
    resume(&store, VERIFY, at(4)).await;
    let steps = release(&store).await;

    assert_eq!(during, [other]);
    assert_eq!(held, 1100);
    assert_eq!(steps, 3, "five hundred at a time");
    assert_eq!(claimed(&queue, 2000, 5).await.len(), 1100);
    let left = "select (select count(*) from pauses)
                + (select count(*) from mails where held_run_at is not null)";
    assert_eq!(database.number(left).await, 0);
}

/// The command that resumed a kind may have ended before all mails were back.
pub async fn a_purge_gives_back_what_was_held_by_a_pause_that_has_ended<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = code(&store, VERIFY, 0).await;
    pause(&store, VERIFY, "", at(0)).await;
    assert!(claimed(&queue, 10, 1).await.is_empty());
    let hour = std::time::Duration::from_hours(1);
    let keep = domain::queue::Retention {
        ended: hour,
        mails: hour,
        audit: hour,
        session_idle: hour,
        trash: hour,
        tombstones: hour,
    };

    let during = queue.purge(keep, at(2)).await.unwrap();
    resume(&store, VERIFY, at(3)).await;
    let after = queue.purge(keep, at(4)).await.unwrap();

    assert_eq!((during, after), (0, 1));
    assert_eq!(claimed(&queue, 10, 5).await, [id]);
}

pub async fn a_held_mail_can_be_cancelled_and_one_retried_is_held_again<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let gone = notice(&store, "ada@example.com", at(0)).await;
    let back = notice(&store, "bob@example.com", at(0)).await;
    pause(&store, Some(MailKind::AlreadyRegistered), "", at(0)).await;
    assert!(claimed(&queue, 10, 1).await.is_empty());

    cancel(&store, gone, at(2)).await.unwrap();
    cancel(&store, back, at(2)).await.unwrap();
    retry(&store, back, at(3)).await.unwrap();
    let during = claimed(&queue, 10, 4).await;
    resume(&store, None, at(5)).await;
    release(&store).await;

    assert!(during.is_empty());
    assert_eq!(claimed(&queue, 10, 6).await, [back]);
    assert_eq!(story(&store, gone).await.mail.state, "cancelled");
}

pub async fn who_paused_and_resumed_what_is_on_record<D: Backdoor>() {
    let database = D::new().await;
    let store = database.store();
    pause(&store, VERIFY, "new texts", at(1)).await;
    pause(&store, None, "", at(2)).await;
    resume(&store, None, at(3)).await;
    resume(&store, None, at(4)).await;

    let recorded =
        "select detail || ' by ' || user_agent from audit where event = 'admin' order by id";

    let by = "by smart-notes (an operator)";
    let expected = [
        format!("paused verify_email mails: new texts {by}"),
        format!("paused the queue {by}"),
        format!("resumed the queue {by}"),
        format!("resumed verify_email mails {by}"),
    ];
    assert_eq!(database.texts(recorded).await, expected);
}
