//! Mails in the queue without anybody who registers.

use super::calls::Calls as _;
use domain::id::{MailId, UserId};
use domain::mail::{Lane, MailKind, MailState, NewMail};
use domain::queue::forget::forget_mails;
use domain::queue::{Claim, Claimed, Loss, MailFilter, MailRecord, MailStory, Outcome, QueueBatch};
use domain::store::Store;
use jiff::Timestamp;
use std::sync::Arc;

use super::people::address;
use super::units::unit;

/// A mail of a kind without a challenge.
pub fn mail(kind: MailKind, to: &str, now: Timestamp) -> NewMail {
    NewMail {
        id: MailId::generate(),
        kind,
        to: to.to_owned(),
        to_key: address(to).key().clone(),
        challenge: None,
        user: None,
        request_id: "request".to_owned(),
        now,
        deadline: None,
        forget_as: None,
    }
}

/// Puts a mail into the queue.
pub async fn enqueue(store: &Store, mail: NewMail) -> MailId {
    let id = mail.id;
    let put = unit(move |tx| {
        let mail = mail.clone();
        Box::pin(async move { tx.enqueue(&mail).await })
    });
    store.write(put).await.unwrap();
    id
}

/// Puts a notice into the queue.
pub async fn notice(store: &Store, to: &str, now: Timestamp) -> MailId {
    enqueue(store, mail(MailKind::AlreadyRegistered, to, now)).await
}

/// Withdraws and forgets the mails to an address, as the deletion of its account does.
pub async fn forget(store: &Store, to: &str, now: Timestamp) {
    let key = address(to).key().clone();
    let forget = unit(move |tx| {
        let key = key.clone();
        Box::pin(async move { forget_mails(tx, UserId(0), &key, "pseudonym", now).await })
    });
    store.write(forget).await.unwrap();
}

/// Claims up to `limit` mails.
pub async fn claim(queue: &Store, worker: &str, limit: u32, now: Timestamp) -> Vec<Claimed> {
    let batch = QueueBatch {
        claim: limit,
        ..QueueBatch::default()
    };
    let report = queue.commit(worker, Arc::new(batch), now).await.unwrap();
    report.claimed
}

/// Claims the only mail that is due.
pub async fn claim_one(queue: &Store, worker: &str, now: Timestamp) -> Claimed {
    let mut claimed = claim(queue, worker, 2, now).await;
    assert_eq!(claimed.len(), 1, "one mail should be due");
    claimed.remove(0)
}

/// The end of a claim, as a try that counted.
pub fn settlement(claim: Claim, state: MailState, at: Timestamp) -> Outcome {
    Outcome {
        claim,
        state,
        reason: "250 2.0.0 Ok".to_owned(),
        again_at: None,
        counted: true,
        uncertain: false,
        lane: Lane::Main,
        records: Vec::new(),
        suppress_until: None,
        at,
    }
}

/// Settles; returns the claims that are void.
pub async fn settle(queue: &Store, worker: &str, settlement: Outcome) -> Vec<(Claim, Loss)> {
    let now = settlement.at;
    let batch = QueueBatch {
        settlements: vec![settlement],
        ..QueueBatch::default()
    };
    queue
        .commit(worker, Arc::new(batch), now)
        .await
        .unwrap()
        .lost
}

/// A mail with its tries.
pub async fn story(store: &Store, mail: MailId) -> MailStory {
    let mut reader = store.reader().await.unwrap();
    let mut found = reader.mail(&mail.to_string()).await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// The mails to an address, newest first.
pub async fn mails_to(store: &Store, email: &str) -> Vec<MailRecord> {
    let filter = MailFilter {
        to: Some(address(email).key().clone()),
        limit: 1000,
        ..MailFilter::default()
    };
    store.reader().await.unwrap().mails(&filter).await.unwrap()
}
