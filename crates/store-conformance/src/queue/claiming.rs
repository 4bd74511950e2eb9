//! Claiming: due mails, the urgent ones first, and no mail twice.

use std::collections::HashSet;
use std::sync::Arc;

use domain::id::MailId;
use domain::mail::{MailKind, MailState};
use domain::queue::{Claim, Keys, QueueBatch};
use domain::store::Store;
use futures_util::future::join_all;

use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, enqueue, mail, notice, settle, settlement, story};
use crate::support::people::{Person, keys, keys_of};
use crate::{Backdoor, JobRow};

fn ids(claimed: &[domain::queue::Claimed]) -> Vec<MailId> {
    claimed.iter().map(|claimed| claimed.claim.mail).collect()
}

pub async fn only_what_is_due_is_claimed_and_only_once<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let due = notice(&store, "ada@example.com", at(0)).await;
    notice(&store, "bob@example.com", at(60)).await;

    let first = claim(&queue, "w1", 10, at(59)).await;
    let again = claim(&queue, "w1", 10, at(59)).await;
    let other = claim(&queue, "w2", 10, at(59)).await;

    assert_eq!(ids(&first), [due]);
    assert!(again.is_empty() && other.is_empty());
}

pub async fn codes_go_before_notices_and_older_ones_before_newer<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let mut notices = Vec::new();
    for second in 0..3 {
        notices.push(notice(&store, "ada@example.com", at(second)).await);
    }
    let late = mail(MailKind::VerifyEmail, "bob@example.com", at(6));
    let code = mail(MailKind::VerifyEmail, "bob@example.com", at(5));
    let (late, code) = (enqueue(&store, late).await, enqueue(&store, code).await);

    let two = claim(&queue, "w", 2, at(10)).await;
    let third = claim(&queue, "w", 1, at(10)).await;
    let rest = claim(&queue, "w", 10, at(10)).await;

    assert_eq!(
        ids(&two).into_iter().collect::<HashSet<_>>(),
        HashSet::from([code, late])
    );
    assert_eq!(ids(&third), [notices[0]]);
    assert_eq!(rest.len(), 2);
}

pub async fn a_limit_is_kept_and_none_claims_nothing<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    for n in 0..5 {
        notice(&store, &format!("ada{n}@example.com"), at(0)).await;
    }

    let none = claim(&queue, "w", 0, at(0)).await;
    let three = claim(&queue, "w", 3, at(0)).await;

    assert_eq!((none.len(), three.len()), (0, 3));
    let jobs = database.jobs().await;
    let running = jobs.iter().filter(|job| job.status == "Running");
    assert_eq!(running.count(), 3);
}

pub async fn a_claim_brings_what_the_delivery_needs<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    Person::new("ada").registers(&store, at(0)).await;

    let claimed = claim_one(&queue, "w", at(1)).await;

    let challenge = claimed.challenge.unwrap();
    assert_eq!(claimed.kind, MailKind::VerifyEmail);
    assert_eq!(claimed.to, "ada@example.com");
    assert_eq!(claimed.request_id, "request-ada");
    assert_eq!((claimed.tries, claimed.uncertain_attempts), (0, 0));
    assert_eq!(claimed.deadline, Some(at(600)));
    assert_eq!(challenge.username, "ada");
    assert_eq!(challenge.life, domain::queue::ChallengeLife::Live);
    assert_eq!(
        story(&store, claimed.claim.mail).await.mail.state,
        "sending"
    );
}

pub async fn a_job_holds_the_mails_id_and_nothing_else<D: Backdoor>() {
    let database = D::new().await;
    Person::new("ada").registers(&database.store(), at(0)).await;

    let job = database.only_job().await;

    assert_eq!(job.payload, format!(r#"{{"mail":"{}"}}"#, job.id));
    assert_eq!(job.status, "Pending");
    assert_eq!(job.job_type, "mail");
    assert_eq!(job.locked_by, None);
}

/// Claims and settles until nothing is left; returns what it claimed.
async fn drain(queue: Store, worker: String) -> Vec<MailId> {
    let mut had = Vec::new();
    let mut settlements = Vec::new();
    loop {
        let batch = QueueBatch {
            settlements: std::mem::take(&mut settlements),
            claim: 7,
            ..QueueBatch::default()
        };
        let batch = Arc::new(batch);
        let report = loop {
            // Another process may hold the lock for longer than this one waits.
            match queue.commit(&worker, Arc::clone(&batch), at(1)).await {
                Ok(report) => break report,
                Err(domain::store::StoreError::Busy) => {}
                Err(error) => panic!("{error:?}"),
            }
        };
        assert!(report.lost.is_empty());
        if report.claimed.is_empty() {
            return had;
        }
        had.extend(ids(&report.claimed));
        settlements = report
            .claimed
            .iter()
            .map(|mail| settlement(mail.claim, MailState::Delivered, at(1)))
            .collect();
    }
}

pub async fn eight_workers_on_two_handles_never_claim_one_mail_twice<D: Backdoor>() {
    let database = D::new().await;
    let store = database.store();
    for n in 0..400 {
        notice(&store, &format!("ada{n}@example.com"), at(0)).await;
    }
    let handles = [database.store(), database.another_store().await];

    let workers = (0..8).map(|n| tokio::spawn(drain(handles[n % 2].clone(), format!("w{n}"))));
    let had: Vec<_> = join_all(workers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();

    assert_eq!(had.len(), 400);
    assert_eq!(had.iter().collect::<HashSet<_>>().len(), 400);
    assert_eq!(
        database
            .number("select count(*) from mails where state = 'delivered' and tries = 1")
            .await,
        400
    );
    let jobs = database.jobs().await;
    let done = |job: &&JobRow| job.status == "Done" && job.locked_by.is_none();
    assert_eq!(jobs.iter().filter(done).count(), 400);
}

pub async fn a_job_without_a_mail_is_set_aside_and_never_returned<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, "stranger@example.com", at(0)).await;
    database.execute("delete from mails").await;
    let mail = notice(&store, "ada@example.com", at(0)).await;

    let claimed = claim(&queue, "w", 10, at(0)).await;
    let again = claim(&queue, "w", 10, at(0)).await;

    assert_eq!(ids(&claimed), [mail]);
    assert!(again.is_empty());
    let jobs = database.jobs().await;
    let aside =
        |job: &&JobRow| job.status == "Killed" && job.locked_by.is_none() && job.done_at.is_some();
    assert_eq!(jobs.iter().filter(aside).count(), 1);
}

pub async fn a_mail_of_a_kind_this_version_does_not_know_keeps_no_other_waiting<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, "stranger@example.com", at(0)).await;
    database
        .execute("update mails set kind = 'from_the_future'")
        .await;
    let mail = notice(&store, "ada@example.com", at(0)).await;

    let batch = QueueBatch {
        claim: 10,
        ..QueueBatch::default()
    };
    let report = queue.commit("w", Arc::new(batch), at(0)).await;

    let report = report.expect("one row that can't be read stops nobody");
    assert_eq!(ids(&report.claimed), [mail]);
}

pub async fn due_says_what_waits_without_taking_it<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());

    let empty = queue.due(&Keys::Any, at(0)).await.unwrap();
    notice(&store, "ada@example.com", at(60)).await;
    let before = queue.due(&Keys::Any, at(0)).await.unwrap();
    let then = queue.due(&Keys::Any, at(60)).await.unwrap();

    assert_eq!((empty.now, empty.next), (false, None));
    assert_eq!((before.now, before.next), (false, Some(at(60))));
    assert!(then.now);
}

/// Claims what a worker with these keys may.
async fn claim_with(queue: &Store, worker: &str, keys: Keys) -> Vec<domain::queue::Claimed> {
    let batch = QueueBatch {
        claim: 10,
        keys,
        ..QueueBatch::default()
    };
    let report = queue.commit(worker, Arc::new(batch), at(1)).await.unwrap();
    report.claimed
}

pub async fn only_mails_whose_key_the_worker_has_are_claimed_and_due<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let others = Keys::Only(
        keys_of("another key, which is long enough as well")
            .ids()
            .into(),
    );
    let own = Keys::Only(keys().ids().into());
    Person::new("ada").registers(&store, at(0)).await;

    let to_others = queue.due(&others, at(1)).await.unwrap();
    let by_others = claim_with(&queue, "lacks", others.clone()).await;
    let notice = notice(&store, "bob@example.com", at(0)).await;
    let notice_by_others = claim_with(&queue, "lacks", others).await;
    let to_own = queue.due(&own, at(1)).await.unwrap();
    let by_own = claim_with(&queue, "has", own).await;

    assert_eq!((to_others.now, to_others.next), (false, None));
    assert!(by_others.is_empty());
    assert_eq!(ids(&notice_by_others), [notice], "it has no code");
    assert!(to_own.now);
    assert_eq!(by_own.len(), 1);
    assert_eq!(by_own[0].claim.number, 1, "nobody claimed it before");
}

pub async fn a_dead_code_is_claimed_also_without_its_key<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let others = Keys::Only(
        keys_of("another key, which is long enough as well")
            .ids()
            .into(),
    );
    Person::new("ada").becomes_a_user(&store, at(0)).await;

    let claimed = claim_with(&queue, "lacks", others).await;

    assert_eq!(claimed.len(), 1, "it can be settled as not needed");
}

pub async fn a_claim_given_back_waits_on_if_it_waited<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w", at(0)).await;
    let waits = domain::queue::Outcome {
        counted: false,
        again_at: Some(at(2)),
        ..settlement(first.claim, MailState::Waiting, at(0))
    };
    settle(&queue, "w", waits).await;
    let second = claim_one(&queue, "w", at(2)).await;

    let batch = QueueBatch {
        releases: vec![second.claim],
        ..QueueBatch::default()
    };
    queue.commit("w", Arc::new(batch), at(3)).await.unwrap();

    assert_eq!(story(&store, id).await.mail.state, "waiting");
}

pub async fn a_released_claim_goes_back_without_an_attempt<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w1", at(0)).await;

    let batch = QueueBatch {
        releases: vec![first.claim],
        ..QueueBatch::default()
    };
    queue.commit("w1", Arc::new(batch), at(1)).await.unwrap();
    let record = story(&store, id).await;
    let attempts = database.only_job().await.attempts;
    let second = claim_one(&queue, "w2", at(1)).await;

    assert_eq!(record.mail.state, "queued");
    assert_eq!((record.mail.tries, record.tries.len(), attempts), (0, 0, 0));
    assert_eq!(
        second.claim,
        Claim {
            mail: id,
            number: first.claim.number + 1
        }
    );
}
