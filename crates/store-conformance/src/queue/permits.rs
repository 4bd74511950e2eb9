//! Permits: no worker gets one for a code that is dead, or for a mail that another worker has claimed.

use std::sync::Arc;

use domain::accounts::ChallengeOwner;
use domain::mail::MailState;
use domain::otp::Purpose;
use domain::queue::{ChallengeLife, Claim, Claimed, Loss, QueueBatch, SendPermit};
use domain::store::Store;
use jiff::Timestamp;

use crate::Backdoor;
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{
    claim, claim_one, forget, mails_to, notice, settle, settlement, story,
};
use crate::support::people::{Person, address, attempts, newest_code};
use crate::support::units::unit;

async fn mark(queue: &Store, worker: &str, claim: Claim, now: Timestamp) -> SendPermit {
    let batch = QueueBatch {
        permits: vec![claim],
        ..QueueBatch::default()
    };
    let report = queue.commit(worker, Arc::new(batch), now).await.unwrap();
    report.permits[&claim]
}

/// A database in which a worker has the mail of ada's code in flight.
async fn a_code_in_flight<D: Backdoor>() -> (D, Claimed) {
    let database = D::new().await;
    Person::new("ada").registers(&database.store(), at(0)).await;
    let claimed = claim_one(&database.store(), "w", at(0)).await;
    (database, claimed)
}

async fn permits_on_record(database: &impl Backdoor) -> i64 {
    database
        .number("select count(*) from mails where dot_claim_no is not null")
        .await
}

pub async fn a_live_code_in_flight_gets_a_permit<D: Backdoor>() {
    let (database, claimed) = a_code_in_flight::<D>().await;

    let answer = mark(&database.store(), "w", claimed.claim, at(599)).await;

    assert_eq!(answer, SendPermit::Granted);
    assert_eq!(permits_on_record(&database).await, 1);
}

pub async fn a_notice_needs_no_challenge_to_get_a_permit<D: Backdoor>() {
    let database = D::new().await;
    notice(&database.store(), "ada@example.com", at(0)).await;
    let claimed = claim_one(&database.store(), "w", at(0)).await;

    let answer = mark(&database.store(), "w", claimed.claim, at(1)).await;

    assert_eq!(answer, SendPermit::Granted);
}

pub async fn an_old_claim_gets_no_permit<D: Backdoor>() {
    let (database, old) = a_code_in_flight::<D>().await;
    let queue = database.store();
    queue.rescue(&["w".to_owned()], at(20)).await.unwrap();
    let newest = claim_one(&queue, "w2", at(20)).await;

    let frozen = mark(&queue, "w", old.claim, at(21)).await;
    let on_record = permits_on_record(&database).await;
    let living = mark(&queue, "w2", newest.claim, at(21)).await;

    assert_eq!(
        (frozen, on_record),
        (SendPermit::ClaimLost(Loss::LeaseLost), 0)
    );
    assert_eq!(living, SendPermit::Granted);
}

pub async fn an_expired_code_gets_no_permit<D: Backdoor>() {
    let (database, claimed) = a_code_in_flight::<D>().await;

    let answer = mark(&database.store(), "w", claimed.claim, at(600)).await;

    assert_eq!(answer, SendPermit::CodeDead(ChallengeLife::Expired));
    assert_eq!(permits_on_record(&database).await, 0);
}

pub async fn a_code_that_was_used_meanwhile_gets_no_permit<D: Backdoor>() {
    let (database, claimed) = a_code_in_flight::<D>().await;
    let (store, ada) = (database.store(), Person::new("ada"));
    let code = newest_code(&store, &ada.email, at(1)).await;
    store.write(ada.presents(&code, None, at(1))).await.unwrap();

    let answer = mark(&database.store(), "w", claimed.claim, at(2)).await;

    assert_eq!(answer, SendPermit::CodeDead(ChallengeLife::Used));
}

pub async fn a_code_that_was_replaced_meanwhile_gets_no_permit<D: Backdoor>() {
    let (database, claimed) = a_code_in_flight::<D>().await;
    let store = database.store();
    let attempt = attempts(&store, "ada@example.com", at(1)).await[0].0.id;
    let supersede = unit(move |tx| {
        let owner = ChallengeOwner::Registration(attempt);
        Box::pin(async move {
            tx.supersede_challenges(&owner, Purpose::VerifyEmail, at(1))
                .await
        })
    });
    store.write(supersede).await.unwrap();

    let answer = mark(&database.store(), "w", claimed.claim, at(2)).await;

    assert_eq!(answer, SendPermit::CodeDead(ChallengeLife::Replaced));
}

pub async fn a_code_whose_attempt_lost_meanwhile_gets_no_permit<D: Backdoor>() {
    let (database, claimed) = a_code_in_flight::<D>().await;
    let end = unit(|tx| {
        Box::pin(async move {
            let ada = address("ada@example.com");
            tx.close_registrations(ada.key(), None, at(1)).await
        })
    });
    database.store().write(end).await.unwrap();

    let answer = mark(&database.store(), "w", claimed.claim, at(2)).await;

    assert_eq!(answer, SendPermit::CodeDead(ChallengeLife::Decoy));
}

/// Otherwise a mail that the relay took would be shown as withdrawn, without a try.
pub async fn a_mail_whose_end_of_data_may_be_written_is_not_withdrawn_with_its_account<
    D: Backdoor,
>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let marked = notice(&store, "ada@example.com", at(0)).await;
    let unmarked = notice(&store, "ada@example.com", at(0)).await;
    let claimed = claim(&queue, "w", 2, at(0)).await;
    let of = |id| {
        claimed
            .iter()
            .find(|one| one.claim.mail == id)
            .unwrap()
            .claim
    };
    assert_eq!(
        mark(&queue, "w", of(marked), at(1)).await,
        SendPermit::Granted
    );

    forget(&store, "ada@example.com", at(2)).await;
    let refused = mark(&queue, "w", of(unmarked), at(3)).await;
    let lost = settle(
        &queue,
        "w",
        settlement(of(marked), MailState::Delivered, at(3)),
    )
    .await;

    assert_eq!(refused, SendPermit::ClaimLost(Loss::Cancelled));
    assert!(lost.is_empty());
    let (marked, unmarked) = (story(&store, marked).await, story(&store, unmarked).await);
    assert_eq!(marked.mail.state, "delivered");
    assert_eq!(unmarked.mail.state, "cancelled");
    assert!(mails_to(&store, "ada@example.com").await.is_empty());
    assert_eq!(
        (marked.mail.to.as_str(), unmarked.mail.to.as_str()),
        ("", "")
    );
}
