//! Suppressed addresses: kept with the reply of the relay that refused them, and known to the next claim.

use std::time::Duration;

use domain::mail::{MailKind, MailState, NewMail};
use domain::operator::{Suppression, Unsuppress};
use domain::queue::forget::forget_mails;
use domain::queue::{AttemptRecord, Claim, Loss, Outcome, Retention};
use domain::store::Store;
use jiff::Timestamp;

use crate::Backdoor;
use crate::store::operating::{operator, recorded, retry};
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim_one, enqueue, mail, notice, settle, settlement};
use crate::support::people::address;
use crate::support::units::unit;

const ADA: &str = "ada@example.com";
const DAY: i64 = 24 * 3600;

/// The end of a claim whose relay said that there is no such address.
fn refusal(claim: Claim, now: Timestamp) -> Outcome {
    let record = AttemptRecord {
        started: now,
        duration_ms: 3,
        relay: "mx:25".to_owned(),
        reused: false,
        stage: "rcpt".into(),
        code: Some(550),
        enhanced: Some("5.1.1".to_owned()),
        text: "5.1.1 No such mailbox".to_owned(),
        outcome: "recipient_refused".into(),
        again_at: None,
    };
    Outcome {
        records: vec![record],
        suppress_until: Some(now + Duration::from_hours(24)),
        ..settlement(claim, MailState::Undeliverable, now)
    }
}

async fn suppression(store: &Store, email: &str, now: Timestamp) -> Option<Suppression> {
    let mut reader = store.reader().await.unwrap();
    reader.suppression(address(email).key(), now).await.unwrap()
}

/// A database in which a relay has refused ada at the first second; and the mail that it refused.
async fn refused<D: Backdoor>() -> (D, domain::id::MailId) {
    let database = D::new().await;
    let id = notice(&database.store(), "Ada@Example.com", at(0)).await;
    let claimed = claim_one(&database.store(), "w", at(0)).await;
    settle(&database.store(), "w", refusal(claimed.claim, at(1))).await;
    (database, id)
}

pub async fn a_refused_address_is_suppressed_for_its_time_with_what_the_relay_said<D: Backdoor>() {
    let (database, id) = refused::<D>().await;
    let store = database.store();

    let found = suppression(&store, ADA, at(2)).await.unwrap();

    let expected = Suppression {
        since: at(1),
        until: at(1 + DAY),
        mail: id,
        relay: "mx:25".to_owned(),
        code: Some(550),
        enhanced: Some("5.1.1".to_owned()),
        text: "5.1.1 No such mailbox".to_owned(),
    };
    assert_eq!(found, expected);
    assert_eq!(suppression(&store, ADA, at(1 + DAY)).await, None);
    assert_eq!(suppression(&store, "bob@example.com", at(2)).await, None);
}

pub async fn the_next_claim_to_a_suppressed_address_says_so_and_others_do_not<D: Backdoor>() {
    let (database, _) = refused::<D>().await;
    let (store, queue) = (database.store(), database.store());

    notice(&store, ADA, at(2)).await;
    let to_ada = claim_one(&queue, "w", at(2)).await;
    notice(&store, "bob@example.com", at(3)).await;
    let to_bob = claim_one(&queue, "w", at(3)).await;
    notice(&store, ADA, at(1 + DAY)).await;
    let later = claim_one(&queue, "w", at(1 + DAY)).await;

    assert_eq!(to_ada.suppressed, suppression(&store, ADA, at(2)).await);
    assert!(to_ada.suppressed.is_some());
    assert_eq!((to_bob.suppressed, later.suppressed), (None, None));
}

/// A worker that was given up on knows nothing that counts.
pub async fn a_result_that_comes_too_late_suppresses_nobody<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, ADA, at(0)).await;
    let old = claim_one(&queue, "w", at(0)).await;
    queue.rescue(&["w".to_owned()], at(1)).await.unwrap();

    let lost = settle(&queue, "w", refusal(old.claim, at(2))).await;

    assert_eq!(lost, [(old.claim, Loss::LeaseLost)]);
    assert_eq!(suppression(&store, ADA, at(2)).await, None);
}

pub async fn the_address_of_an_account_that_is_gone_is_not_kept<D: Backdoor>() {
    let (database, _) = refused::<D>().await;
    let (store, queue) = (database.store(), database.store());
    let bob = "bob@example.com";
    let farewell = NewMail {
        forget_as: Some("gone:1".to_owned()),
        ..mail(MailKind::AccountDeleted, bob, at(2))
    };
    enqueue(&store, farewell).await;
    let claimed = claim_one(&queue, "w", at(2)).await;
    settle(&queue, "w", refusal(claimed.claim, at(3))).await;
    let forget = unit(|tx| {
        Box::pin(async move {
            let ada = address(ADA);
            let user = domain::id::UserId(1);
            forget_mails(tx, user, ada.key(), "gone:2", at(4)).await
        })
    });
    store.write(forget).await.unwrap();

    assert_eq!(suppression(&store, bob, at(5)).await, None);
    assert_eq!(suppression(&store, ADA, at(5)).await, None);
    let kept = "select count(*) from suppressions";
    assert_eq!(database.number(kept).await, 0);
}

pub async fn an_operator_lifts_a_suppression_once_and_that_is_on_record<D: Backdoor>() {
    let (database, _) = refused::<D>().await;
    let store = database.store();
    let lift = || Unsuppress {
        to: address(ADA).key().clone(),
        actor: operator(),
        now: at(5),
    };

    let first = store.write(lift()).await.unwrap();
    let second = store.write(lift()).await.unwrap();

    assert_eq!(first.unwrap().since, at(1));
    assert_eq!(second, None);
    assert_eq!(suppression(&store, ADA, at(5)).await, None);
    let expected = ["lifted the suppression of the address"];
    assert_eq!(recorded(&store, ADA).await, expected);
}

pub async fn a_mail_to_a_suppressed_address_that_is_retried_gets_an_attempt<D: Backdoor>() {
    let (database, id) = refused::<D>().await;
    let (store, queue) = (database.store(), database.store());

    let retried = retry(&store, id, at(5)).await.unwrap();
    let claimed = claim_one(&queue, "w", at(5)).await;

    assert_eq!(retried.lifted.unwrap().mail, id);
    assert_eq!(claimed.suppressed, None);
    assert_eq!(recorded(&store, ADA).await.len(), 2);
}

pub async fn suppressions_are_purged_when_their_time_is_over<D: Backdoor>() {
    let (database, _) = refused::<D>().await;
    let hour = Duration::from_hours(1);
    let keep = Retention {
        ended: 1000 * hour,
        mails: 1000 * hour,
        audit: 1000 * hour,
        session_idle: 1000 * hour,
        trash: Duration::from_hours(24 * 30),
        tombstones: Duration::from_hours(24 * 90),
    };

    let early = database.store().purge(keep, at(DAY)).await.unwrap();
    let late = database.store().purge(keep, at(1 + DAY)).await.unwrap();

    assert_eq!((early, late), (0, 1));
}
