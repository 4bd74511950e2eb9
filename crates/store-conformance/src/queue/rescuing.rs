//! Rescuing mails of dead workers: each is sent again, at most once more after an end of data.

use std::sync::Arc;

use domain::mail::{MailKind, MailState};
use domain::queue::{Claim, Keys, Loss, QueueBatch, Rescued};
use domain::store::Store;
use jiff::Timestamp;

use crate::Backdoor;
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, enqueue, mail, notice, settle, settlement, story};

async fn rescue(queue: &Store, worker: &str, now: Timestamp) -> Vec<Rescued> {
    queue.rescue(&[worker.to_owned()], now).await.unwrap()
}

async fn mark(queue: &Store, worker: &str, claim: Claim, now: Timestamp) {
    let batch = QueueBatch {
        permits: vec![claim],
        ..QueueBatch::default()
    };
    queue.commit(worker, Arc::new(batch), now).await.unwrap();
}

async fn workers(queue: &Store) -> Vec<String> {
    let beats = queue.heartbeats().await.unwrap();
    beats.into_iter().map(|beat| beat.worker).collect()
}

pub async fn a_mail_before_its_end_of_data_waits_for_another_and_no_attempt_is_counted<
    D: Backdoor,
>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    claim_one(&queue, "dead", at(0)).await;

    let rescued = rescue(&queue, "dead", at(12)).await;

    let told = story(&store, id).await;
    assert_eq!(
        (rescued[0].mail, rescued[0].state),
        (id, MailState::Waiting)
    );
    assert_eq!((told.mail.state.as_str(), told.mail.tries), ("waiting", 0));
    assert_eq!(told.tries.len(), 1);
    assert_eq!(told.tries[0].outcome, "worker_died");
    assert!(workers(&queue).await.is_empty(), "struck off");
    let again = claim_one(&queue, "w2", at(12)).await;
    assert_eq!((again.claim.number, again.uncertain_attempts), (2, 0));
}

pub async fn a_mail_after_its_end_of_data_counts_as_uncertain_and_a_second_time_is_the_last<
    D: Backdoor,
>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w1", at(0)).await;
    mark(&queue, "w1", first.claim, at(0)).await;

    let once = rescue(&queue, "w1", at(12)).await;
    let second = claim_one(&queue, "w2", at(12)).await;
    mark(&queue, "w2", second.claim, at(12)).await;
    let twice = rescue(&queue, "w2", at(24)).await;

    let told = story(&store, id).await;
    let outcomes: Vec<_> = told.tries.iter().map(|t| t.outcome.as_str()).collect();
    assert_eq!(once[0].state, MailState::Waiting);
    assert_eq!(second.uncertain_attempts, 1);
    assert_eq!(twice[0].state, MailState::Undeliverable);
    assert_eq!(outcomes, ["uncertain", "uncertain"]);
    assert_eq!(told.mail.finished, Some(at(24)));
    let reason = told.mail.reason.unwrap();
    assert!(reason.contains("may have been delivered"), "{reason}");
    assert_eq!(database.only_job().await.status, "Failed");
    assert!(claim(&queue, "w3", 1, at(1_000)).await.is_empty());
}

pub async fn a_mark_of_an_earlier_claim_is_not_counted_again<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w1", at(0)).await;
    mark(&queue, "w1", first.claim, at(0)).await;
    rescue(&queue, "w1", at(12)).await;
    claim_one(&queue, "w2", at(12)).await;

    let unmarked = rescue(&queue, "w2", at(24)).await;

    assert_eq!(unmarked[0].state, MailState::Waiting);
    assert_eq!(database.number("select cut_offs from mails").await, 1);
}

/// One mail kills every worker that has it in flight. The others are claimed together with it at first.
pub async fn a_mail_that_kills_its_workers_takes_no_other_with_it<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(notice(&store, &format!("ada{n}@example.com"), at(0)).await);
    }
    let deadly = ids[4];

    for second in 0..60 {
        let worker = format!("w{second}");
        let claimed = claim(&queue, &worker, 32, at(second)).await;
        if claimed.iter().any(|mail| mail.claim.mail == deadly) {
            rescue(&queue, &worker, at(second)).await;
            continue;
        }
        for mail in claimed {
            let delivered = settlement(mail.claim, MailState::Delivered, at(second));
            settle(&queue, &worker, delivered).await;
        }
    }

    for id in ids {
        let state = if id == deadly { "poison" } else { "delivered" };
        assert_eq!(story(&store, id).await.mail.state, state);
    }
}

pub async fn staggered_mails_are_not_taken_for_rescheduled_by_a_clock<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    for n in 0..3 {
        notice(&store, &format!("ada{n}@example.com"), at(0)).await;
    }
    for worker in ["w1", "w2"] {
        claim(&queue, worker, 32, at(0)).await;
        rescue(&queue, worker, at(0)).await;
    }

    let maintained = queue.maintain(&Keys::Any, at(0)).await.unwrap();

    assert!(maintained.rescheduled.is_empty());
    assert_eq!(claim(&queue, "w3", 32, at(0)).await.len(), 1);
    assert_eq!(claim(&queue, "w3", 32, at(1)).await.len(), 1);
}

pub async fn a_mail_that_three_workers_died_with_is_set_aside<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let mut states = Vec::new();
    for n in 1..=3 {
        let worker = format!("w{n}");
        claim_one(&queue, &worker, at(n * 12)).await;
        states.push(rescue(&queue, &worker, at(n * 12 + 12)).await[0].state);
    }

    let job = database.only_job().await;

    assert_eq!(
        states,
        [MailState::Waiting, MailState::Waiting, MailState::Poison]
    );
    assert_eq!(story(&store, id).await.mail.state, "poison");
    assert_eq!((job.status.as_str(), job.locked_by), ("Killed", None));
    assert_eq!(job.done_at, Some(at(48).as_second()));
    assert!(claim(&queue, "w4", 1, at(1_000)).await.is_empty());
}

pub async fn a_frozen_workers_late_result_is_lost_and_it_may_go_on<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let frozen = claim_one(&queue, "frozen", at(0)).await;
    rescue(&queue, "frozen", at(12)).await;

    let before_next = settle(
        &queue,
        "frozen",
        settlement(frozen.claim, MailState::Expired, at(13)),
    )
    .await;
    let other = claim_one(&queue, "other", at(14)).await;
    let after_next = settle(
        &queue,
        "frozen",
        settlement(frozen.claim, MailState::Expired, at(15)),
    )
    .await;
    settle(
        &queue,
        "other",
        settlement(other.claim, MailState::Delivered, at(16)),
    )
    .await;
    notice(&store, "bob@example.com", at(17)).await;
    let goes_on = claim_one(&queue, "frozen", at(17)).await;

    assert_eq!(before_next, [(frozen.claim, Loss::LeaseLost)]);
    assert_eq!(after_next, [(frozen.claim, Loss::LeaseLost)]);
    assert_eq!(story(&store, id).await.mail.state, "delivered");
    assert_eq!(goes_on.to, "bob@example.com");
    assert!(workers(&queue).await.contains(&"frozen".to_owned()));
}

pub async fn the_living_keep_what_they_have_in_flight<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, "ada@example.com", at(0)).await;
    claim_one(&queue, "dead", at(0)).await;
    let id = notice(&store, "bob@example.com", at(0)).await;
    let living = claim_one(&queue, "living", at(0)).await;

    let rescued = rescue(&queue, "dead", at(12)).await;
    let lost = settle(
        &queue,
        "living",
        settlement(living.claim, MailState::Delivered, at(13)),
    )
    .await;

    assert_eq!(rescued.len(), 1);
    assert!(lost.is_empty());
    assert_eq!(story(&store, id).await.mail.state, "delivered");
    assert_eq!(workers(&queue).await, ["living"]);
}

pub async fn a_worker_is_listed_while_it_beats_and_gone_when_it_leaves<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();

    queue.heartbeat("w", at(5)).await.unwrap();
    queue.heartbeat("w", at(7)).await.unwrap();
    let beats = queue.heartbeats().await.unwrap();
    queue.remove_worker("w").await.unwrap();

    assert_eq!((beats.len(), beats[0].seen), (1, at(7).as_second()));
    assert!(workers(&queue).await.is_empty());
}

pub async fn a_worker_with_a_mail_in_flight_does_not_leave_unnoticed<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();
    notice(&database.store(), "ada@example.com", at(0)).await;
    claim_one(&queue, "w", at(0)).await;

    queue.remove_worker("w").await.unwrap();

    assert_eq!(
        workers(&queue).await,
        ["w"],
        "or nobody would rescue its mail"
    );
}

pub async fn a_mail_set_aside_after_a_cut_says_that_it_may_have_been_delivered<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w1", at(0)).await;
    mark(&queue, "w1", first.claim, at(0)).await;
    rescue(&queue, "w1", at(12)).await;
    for worker in ["w2", "w3"] {
        claim_one(&queue, worker, at(12)).await;
        rescue(&queue, worker, at(24)).await;
    }

    let mail = story(&store, id).await.mail;

    assert_eq!(mail.state, "poison");
    let reason = mail.reason.unwrap();
    assert!(reason.contains("may have been delivered"), "{reason}");
}

pub async fn the_address_of_an_account_that_is_gone_is_forgotten_also_when_a_rescue_ends_its_mail<
    D: Backdoor,
>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let farewell = domain::mail::NewMail {
        forget_as: Some("gone:1234".to_owned()),
        ..mail(MailKind::AccountDeleted, "ada@example.com", at(0))
    };
    let id = enqueue(&store, farewell).await;

    for worker in ["w1", "w2", "w3"] {
        assert_eq!(story(&store, id).await.mail.to, "ada@example.com");
        claim_one(&queue, worker, at(12)).await;
        rescue(&queue, worker, at(24)).await;
    }

    let mail = story(&store, id).await.mail;
    assert_eq!((mail.state.as_str(), mail.to.as_str()), ("poison", ""));
    let key = "select recipient_key from mails";
    assert_eq!(database.texts(key).await, ["gone:1234"]);
}
