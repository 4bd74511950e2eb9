//! Maintenance of mails that no worker claims: they expire, say which key they wait for, and are rescheduled when the
//! clock was set back.

use std::sync::Arc;

use domain::mail::{Lane, MailState};
use domain::queue::{Expired, Keys, Maintenance, Outcome, QueueBatch};
use domain::store::Store;
use jiff::Timestamp;

use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, mails_to, notice, settle, settlement, story};
use crate::support::people::{Person, keys, keys_of};
use crate::{Backdoor, JobChange};

/// What a worker has that was told another secret than the API.
fn others_keys() -> Keys {
    Keys::Only(
        keys_of("another key, which is long enough as well")
            .ids()
            .into(),
    )
}

async fn maintain_all_keys(queue: &Store, now: Timestamp) -> Maintenance {
    queue.maintain(&Keys::Any, now).await.unwrap()
}

/// A database in which ada's code waits to be mailed.
async fn a_code_in_the_queue<D: Backdoor>() -> D {
    let database = D::new().await;
    Person::new("ada").registers(&database.store(), at(0)).await;
    database
}

async fn adas_mail(database: &impl Backdoor) -> domain::queue::MailRecord {
    mails_to(&database.store(), "ada@example.com")
        .await
        .remove(0)
}

pub async fn a_code_that_dies_before_anybody_claims_its_mail_has_expired<D: Backdoor>() {
    let database = a_code_in_the_queue::<D>().await;
    let queue = database.store();

    let before = maintain_all_keys(&queue, at(599)).await;
    let then = maintain_all_keys(&queue, at(600)).await;
    let after = maintain_all_keys(&queue, at(601)).await;

    let mail = adas_mail(&database).await;
    assert!(before.expired.is_empty() && after.expired.is_empty());
    let kind = "verify_email".into();
    assert_eq!(
        then.expired,
        [Expired {
            mail: mail.id,
            kind
        }]
    );
    assert_eq!((mail.state.as_str(), mail.tries), ("expired", 0));
    assert_eq!(mail.finished, Some(at(600)));
    assert_eq!(
        mail.reason.as_deref(),
        Some("its time was over before a worker could send it")
    );
    assert_eq!(database.only_job().await.status, "Failed");
    assert!(claim(&queue, "w", 1, at(601)).await.is_empty());
}

pub async fn a_mail_that_expires_while_it_waits_keeps_what_it_waited_for_and_what_may_have_happened<
    D: Backdoor,
>() {
    let database = a_code_in_the_queue::<D>().await;
    let queue = database.store();
    let claimed = claim_one(&queue, "w", at(0)).await;
    let waits = Outcome {
        reason: "relay.example.com:25 failed at dot: the connection broke".to_owned(),
        again_at: Some(at(5)),
        uncertain: true,
        ..settlement(claimed.claim, MailState::Waiting, at(1))
    };
    settle(&queue, "w", waits).await;

    maintain_all_keys(&queue, at(600)).await;

    assert_eq!(
        adas_mail(&database).await.reason.as_deref(),
        Some(
            "its time was over while it waited: relay.example.com:25 failed at dot: the connection broke; \
             it may have been delivered: an attempt ended without an answer after the end of data"
        )
    );
}

pub async fn a_mail_in_flight_never_expires_here<D: Backdoor>() {
    let database = a_code_in_the_queue::<D>().await;
    let queue = database.store();
    claim_one(&queue, "w", at(0)).await;

    let maintained = maintain_all_keys(&queue, at(100_000)).await;

    assert!(maintained.expired.is_empty());
}

pub async fn a_notice_that_nobody_could_send_has_expired_after_a_day<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();
    let id = notice(&database.store(), "bob@example.com", at(0)).await;

    let within = maintain_all_keys(&queue, at(86_400)).await;
    let after = maintain_all_keys(&queue, at(86_401)).await;

    assert!(within.expired.is_empty());
    assert_eq!(after.expired[0].mail, id);
    assert_eq!(after.expired[0].kind, "already_registered");
}

/// A worker that had it put the mail there, and is away.
pub async fn a_mail_of_the_slow_lane_whose_key_is_missing_says_so_and_wakes_no_worker_without_it<
    D: Backdoor,
>() {
    for lane in [Lane::Slow, Lane::SlowFirst] {
        let database = a_code_in_the_queue::<D>().await;
        let queue = database.store();
        let claimed = claim_one(&queue, "w", at(0)).await;
        let slow = Outcome {
            lane,
            counted: false,
            again_at: Some(at(5)),
            ..settlement(claimed.claim, MailState::Waiting, at(1))
        };
        settle(&queue, "w", slow).await;

        let due = queue.due(&others_keys(), at(5)).await.unwrap();
        let own_due = queue
            .due(&Keys::Only(keys().ids().into()), at(5))
            .await
            .unwrap();
        let maintained = queue.maintain(&others_keys(), at(5)).await.unwrap();

        assert_eq!((due.slow, own_due.slow), (None, Some(at(5))), "{lane:?}");
        assert_eq!(maintained.missing_keys.len(), 1, "{lane:?}");
    }
}

pub async fn a_mail_whose_key_is_missing_waits_for_it_in_so_many_words<D: Backdoor>() {
    let database = a_code_in_the_queue::<D>().await;
    let queue = database.store();

    let first = queue.maintain(&others_keys(), at(0)).await.unwrap();
    let second = queue.maintain(&others_keys(), at(2)).await.unwrap();

    let mail = adas_mail(&database).await;
    let key = keys().current().clone();
    assert_eq!(first.missing_keys, [(mail.id, key.clone())]);
    assert!(second.missing_keys.is_empty(), "said once");
    assert_eq!(mail.state, "waiting");
    assert_eq!(
        mail.reason,
        Some(format!(
            "waits for a worker that has the secret key {key}, which makes its code"
        ))
    );
    assert_eq!(claim(&queue, "knows", 1, at(2)).await.len(), 1);
}

/// There is nothing to derive for a decoy: any worker takes it, and nothing waits for a key.
pub async fn a_decoy_needs_no_key<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    Person::new("ada").asks_to_reset(&store, at(0)).await;

    let needed = queue.keys_needed(at(0)).await.unwrap();
    let maintained = queue.maintain(&others_keys(), at(0)).await.unwrap();
    let due = queue.due(&others_keys(), at(0)).await.unwrap();
    let batch = QueueBatch {
        claim: 1,
        keys: others_keys(),
        ..QueueBatch::default()
    };
    let report = queue.commit("w", Arc::new(batch), at(0)).await.unwrap();

    assert!(needed.is_empty() && maintained.missing_keys.is_empty());
    assert!(due.now);
    assert_eq!(report.claimed.len(), 1);
}

pub async fn a_worker_that_has_the_key_explains_nothing<D: Backdoor>() {
    let database = a_code_in_the_queue::<D>().await;

    let own = Keys::Only(keys().ids().into());
    let maintained = database.store().maintain(&own, at(0)).await.unwrap();

    assert!(maintained.missing_keys.is_empty());
    assert_eq!(adas_mail(&database).await.state, "queued");
}

pub async fn a_mail_never_tried_is_due_at_once_when_the_clock_is_set_back<D: Backdoor>() {
    let database = a_code_in_the_queue::<D>().await;
    let queue = database.store();
    let notice = notice(&database.store(), "bob@example.com", at(0)).await;
    let an_hour_ago = at(-3600);
    assert!(claim(&queue, "w", 10, an_hour_ago).await.is_empty());

    let maintained = maintain_all_keys(&queue, an_hour_ago).await;

    assert_eq!(maintained.rescheduled.len(), 2);
    assert!(maintained.rescheduled.contains(&notice));
    assert!(
        maintain_all_keys(&queue, an_hour_ago)
            .await
            .rescheduled
            .is_empty()
    );
    assert_eq!(claim(&queue, "w", 10, an_hour_ago).await.len(), 2);
}

pub async fn a_mail_that_waits_is_due_when_no_schedule_would_have_it_wait_so_long<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();
    let id = notice(&database.store(), "bob@example.com", at(0)).await;
    let claimed = claim_one(&queue, "w", at(0)).await;
    let waits = Outcome {
        again_at: Some(at(1800)),
        ..settlement(claimed.claim, MailState::Waiting, at(0))
    };
    settle(&queue, "w", waits).await;

    let in_time = maintain_all_keys(&queue, at(0)).await;
    let set_back = maintain_all_keys(&queue, at(-3600)).await;

    assert!(
        in_time.rescheduled.is_empty(),
        "half an hour is on its schedule"
    );
    assert_eq!(set_back.rescheduled, [id]);
    assert_eq!(story(&database.store(), id).await.mail.again_at, None);
    assert_eq!(claim(&queue, "w", 1, at(-3600)).await.len(), 1);
}

pub async fn a_mail_taken_back_from_a_dead_worker_is_due_when_the_clock_is_set_back<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();
    let id = notice(&database.store(), "bob@example.com", at(0)).await;
    claim_one(&queue, "dead", at(0)).await;
    queue.rescue(&["dead".to_owned()], at(-3600)).await.unwrap();

    let maintained = maintain_all_keys(&queue, at(-3600)).await;

    assert_eq!(maintained.rescheduled, [id]);
}

pub async fn a_job_that_is_kept_back_on_purpose_stays_so<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();
    notice(&database.store(), "bob@example.com", at(0)).await;
    database.change_jobs(JobChange::Due(253_402_300_799)).await;

    for now in [at(0), at(-3600)] {
        assert!(maintain_all_keys(&queue, now).await.rescheduled.is_empty());
    }
}

pub async fn a_job_without_a_mail_and_of_an_unknown_priority_is_set_aside<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, "stranger@example.com", at(0)).await;
    database.execute("delete from mails").await;
    notice(&store, "ada@example.com", at(0)).await;
    database.change_jobs(JobChange::Priority(77)).await;

    maintain_all_keys(&queue, at(1)).await;

    let mails = database.texts("select id from mails").await;
    let jobs = database.jobs().await;
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        // A newer version's mail stays.
        let expected = if mails.contains(&job.id) {
            "Pending"
        } else {
            "Killed"
        };
        assert_eq!(job.status, expected);
    }
}
