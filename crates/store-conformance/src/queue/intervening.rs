//! Cancelling and retrying, and what the rows of jobs hold meanwhile.

use std::sync::Arc;

use domain::id::MailId;
use domain::mail::MailState;
use domain::operator::{CancelRefusal, RetryRefusal};
use domain::queue::{Claim, Loss, Outcome, QueueBatch, SendPermit};
use domain::store::Store;

use crate::store::operating::{cancel, retry};
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, forget, notice, settle, settlement, story};
use crate::{Backdoor, JobChange};

const ADA: &str = "ada@example.com";

async fn mark(queue: &Store, claim: Claim) -> SendPermit {
    let batch = QueueBatch {
        permits: vec![claim],
        ..QueueBatch::default()
    };
    let report = queue.commit("w", Arc::new(batch), at(5)).await.unwrap();
    report.permits[&claim]
}

/// A notice that ended in that state after one try.
async fn ended(database: &impl Backdoor, state: MailState) -> MailId {
    let id = notice(&database.store(), ADA, at(0)).await;
    let claimed = claim_one(&database.store(), "w", at(0)).await;
    let settlement = Outcome {
        again_at: (!state.is_final()).then(|| at(3600)),
        ..settlement(claimed.claim, state, at(1))
    };
    settle(&database.store(), "w", settlement).await;
    id
}

pub async fn whatever_was_not_delivered_can_be_retried_and_is_claimed_at_once<D: Backdoor>() {
    for state in [
        MailState::Undeliverable,
        MailState::Expired,
        MailState::NotNeeded,
        MailState::Cancelled,
        MailState::Poison,
        MailState::Waiting,
    ] {
        let database = D::new().await;
        let (store, queue) = (database.store(), database.store());
        let id = ended(&database, state).await;
        assert!(claim(&queue, "w", 1, at(10)).await.is_empty(), "{state:?}");

        let retried = retry(&store, id, at(10)).await.unwrap();
        let told = story(&store, id).await.mail;
        let again = claim_one(&queue, "w", at(10)).await;

        assert_eq!(retried.was, state.as_str());
        assert_eq!((told.state.as_str(), told.finished), ("waiting", None));
        assert_eq!((again.claim.mail, again.tries), (id, 1), "{state:?}");
    }
}

pub async fn a_delivered_mail_and_one_in_flight_are_not_retried<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let delivered = ended(&database, MailState::Delivered).await;
    let in_flight = notice(&store, ADA, at(0)).await;
    claim_one(&queue, "w", at(0)).await;

    let of_delivered = retry(&store, delivered, at(2)).await.unwrap_err();
    let of_in_flight = retry(&store, in_flight, at(2)).await.unwrap_err();

    assert_eq!(of_delivered, RetryRefusal::Delivered);
    assert_eq!(of_in_flight, RetryRefusal::InProgress("sending".into()));
    assert_eq!(story(&store, delivered).await.mail.state, "delivered");
}

pub async fn a_mail_that_killed_its_workers_gets_as_many_again<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, ADA, at(0)).await;
    let die = async || {
        claim_one(&queue, "dead", at(0)).await;
        queue.rescue(&["dead".to_owned()], at(0)).await.unwrap();
        story(&store, id).await.mail.state
    };
    for expected in ["waiting", "waiting", "poison"] {
        assert_eq!(die().await, expected);
    }

    retry(&store, id, at(1)).await.unwrap();

    assert_eq!(story(&store, id).await.mail.state, "queued");
    assert_eq!(database.number("select crashes from mails").await, 0);
}

pub async fn a_cancelled_mail_is_claimed_by_nobody_and_its_job_is_killed<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, ADA, at(0)).await;

    cancel(&store, id, at(1)).await.unwrap();

    assert!(claim(&queue, "w", 1, at(2)).await.is_empty());
    assert_eq!(database.only_job().await.status, "Killed");
}

/// What a mail says that may be at its recipient's in spite of its end.
const MAYBE: &str =
    "; it may have been delivered: an attempt ended without an answer after the end of data";

/// A mail that waits after a first try, which was cut off or not.
async fn waits(database: &impl Backdoor, uncertain: bool) -> MailId {
    let id = notice(&database.store(), ADA, at(0)).await;
    let claimed = claim_one(&database.store(), "w", at(0)).await;
    let waits = Outcome {
        again_at: Some(at(5)),
        uncertain,
        ..settlement(claimed.claim, MailState::Waiting, at(1))
    };
    settle(&database.store(), "w", waits).await;
    id
}

pub async fn a_cancelled_mail_says_that_it_may_have_been_delivered_and_only_if_it_may<
    D: Backdoor,
>() {
    for (uncertain, maybe) in [(false, ""), (true, MAYBE)] {
        let database = D::new().await;
        let id = waits(&database, uncertain).await;

        cancel(&database.store(), id, at(2)).await.unwrap();

        let reason = story(&database.store(), id).await.mail.reason;
        let expected = format!("an operator cancelled it{maybe}");
        assert_eq!(reason, Some(expected));
    }
}

pub async fn a_mail_withdrawn_with_its_account_says_so_too_even_if_its_second_try_has_begun<
    D: Backdoor,
>() {
    for (uncertain, in_flight, maybe) in [
        (false, false, ""),
        (true, false, MAYBE),
        (true, true, MAYBE),
    ] {
        let database = D::new().await;
        let id = waits(&database, uncertain).await;
        if in_flight {
            claim_one(&database.store(), "w", at(5)).await;
        }

        forget(&database.store(), ADA, at(6)).await;

        let mail = story(&database.store(), id).await.mail;
        let expected = format!("the account was deleted{maybe}");
        assert_eq!(
            (mail.state.as_str(), mail.reason),
            ("cancelled", Some(expected))
        );
    }
}

/// The worker asks before it writes the end of the message, and is told no.
pub async fn a_mail_in_flight_is_cancelled_as_long_as_its_end_is_not_on_its_way<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, ADA, at(0)).await;
    let in_flight = claim_one(&queue, "w", at(0)).await;

    cancel(&store, id, at(1)).await.unwrap();
    let marked = mark(&queue, in_flight.claim).await;
    let late = settlement(in_flight.claim, MailState::Delivered, at(6));
    let lost = settle(&queue, "w", late).await;

    assert_eq!(marked, SendPermit::ClaimLost(Loss::Cancelled));
    assert_eq!(lost, [(in_flight.claim, Loss::Cancelled)]);
    assert_eq!(story(&store, id).await.mail.state, "cancelled");
    let job = database.only_job().await;
    assert_eq!((job.status.as_str(), job.locked_by), ("Killed", None));
}

pub async fn a_mail_whose_end_is_on_its_way_is_not_cancelled<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, ADA, at(0)).await;
    let in_flight = claim_one(&queue, "w", at(0)).await;
    assert_eq!(mark(&queue, in_flight.claim).await, SendPermit::Granted);

    let refused = cancel(&store, id, at(6)).await;
    let delivered = settlement(in_flight.claim, MailState::Delivered, at(7));
    let lost = settle(&queue, "w", delivered).await;

    assert_eq!(refused, Err(CancelRefusal::EndOfData));
    assert!(lost.is_empty());
    assert_eq!(story(&store, id).await.mail.state, "delivered");
}

/// Its worker stops before it has begun with it.
pub async fn a_mail_cancelled_in_flight_is_not_given_back<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let [cancelled, other] = [
        notice(&store, ADA, at(0)).await,
        notice(&store, "bob@example.com", at(0)).await,
    ];
    let claims: Vec<Claim> = (claim(&queue, "w", 2, at(0)).await.iter())
        .map(|mail| mail.claim)
        .collect();
    cancel(&store, cancelled, at(1)).await.unwrap();

    let batch = QueueBatch {
        releases: claims.clone(),
        ..QueueBatch::default()
    };
    let lost = queue
        .commit("w", Arc::new(batch), at(2))
        .await
        .unwrap()
        .lost;

    let void = claims.into_iter().find(|claim| claim.mail == cancelled);
    assert_eq!(lost, [(void.unwrap(), Loss::Cancelled)]);
    assert_eq!(story(&store, cancelled).await.mail.state, "cancelled");
    assert_eq!(story(&store, other).await.mail.state, "queued");
}

/// Cancelled in flight, retried at once: the old claim must not send it beside the new one.
pub async fn a_mail_cancelled_in_flight_and_retried_has_one_owner<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, ADA, at(0)).await;
    let old = claim_one(&queue, "w", at(0)).await;
    cancel(&store, id, at(1)).await.unwrap();
    retry(&store, id, at(2)).await.unwrap();

    let new = claim_one(&queue, "w2", at(2)).await;

    assert!(new.claim.number > old.claim.number);
    assert_eq!(
        mark(&queue, old.claim).await,
        SendPermit::ClaimLost(Loss::LeaseLost)
    );
    assert_eq!(mark(&queue, new.claim).await, SendPermit::Granted);
}

pub async fn a_mail_that_was_uncertain_twice_is_not_retried<D: Backdoor>() {
    let database = D::new().await;
    let store = database.store();
    let id = ended(&database, MailState::Undeliverable).await;
    database.execute("update mails set cut_offs = 2").await;

    let refused = retry(&store, id, at(2)).await.unwrap_err();

    assert_eq!(refused, RetryRefusal::UncertainTwice);
}

pub async fn a_mail_without_its_job_is_refused_and_left_as_it_is<D: Backdoor>() {
    let database = D::new().await;
    let store = database.store();
    let id = ended(&database, MailState::Undeliverable).await;
    database.change_jobs(JobChange::Delete).await;

    let refused = retry(&store, id, at(2)).await.unwrap_err();

    assert_eq!(refused, RetryRefusal::NoJob);
    assert_eq!(story(&store, id).await.mail.state, "undeliverable");
}
