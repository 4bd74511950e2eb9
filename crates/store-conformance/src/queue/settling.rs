//! Settling: what the end of an attempt leaves in the rows of mails and jobs, and the fence around it.

use std::time::Duration;

use domain::delivery::{AttemptOutcome, Stage};
use domain::mail::MailState;
use domain::queue::{AttemptRecord, Loss, Outcome};
use jiff::Timestamp;

use crate::Backdoor;
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, notice, settle, settlement, story};

fn record(started: Timestamp, outcome: &str) -> AttemptRecord {
    AttemptRecord {
        started,
        duration_ms: 12,
        relay: "relay.example.com:25".to_owned(),
        reused: true,
        stage: "rcpt".into(),
        code: Some(451),
        enhanced: Some("4.7.1".to_owned()),
        text: "4.7.1 try again".to_owned(),
        outcome: outcome.into(),
        again_at: None,
    }
}

pub async fn a_delivered_mail_is_done_with_its_record<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let claimed = claim_one(&queue, "w", at(1)).await;

    let lost = settle(
        &queue,
        "w",
        Outcome {
            records: vec![record(at(1), "delivered")],
            ..settlement(claimed.claim, MailState::Delivered, at(2))
        },
    )
    .await;

    let told = story(&store, id).await;
    assert!(lost.is_empty());
    assert_eq!(told.mail.state, "delivered");
    assert_eq!(told.mail.reason.as_deref(), Some("250 2.0.0 Ok"));
    assert_eq!(told.mail.finished, Some(at(2)));
    assert_eq!(told.mail.tries, 1);
    assert_eq!(told.tries.len(), 1);
    assert_eq!(told.tries[0].relay, "relay.example.com:25");
    assert_eq!(told.tries[0].code, Some(451));
    assert_eq!(told.tries[0].enhanced.as_deref(), Some("4.7.1"));
    assert!(told.tries[0].reused);
    assert!(claim(&queue, "w", 10, at(1_000_000)).await.is_empty());
}

pub async fn words_of_an_older_version_are_read_as_todays_and_newer_ones_are_kept<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let claimed = claim_one(&queue, "w", at(1)).await;
    let waits = Outcome {
        records: vec![record(at(1), "uncertain")],
        ..settlement(claimed.claim, MailState::Waiting, at(2))
    };
    settle(&queue, "w", waits).await;

    database
        .execute("update mail_tries set stage = 'dot', outcome = 'cut_off'")
        .await;
    let of_older = story(&store, id).await;
    database
        .execute("update mail_tries set stage = 'quit', outcome = 'returned'")
        .await;
    let of_newer = story(&store, id).await;

    let older = &of_older.tries[0];
    assert_eq!(older.stage, Stage::EndOfData);
    assert_eq!(older.outcome, AttemptOutcome::Uncertain);
    let newer = &of_newer.tries[0];
    assert_eq!((&newer.stage, newer.stage.known()), (&"quit".into(), None));
    assert_eq!(newer.outcome, "returned");
}

pub async fn each_relay_attempt_is_a_record_of_its_own_in_their_order<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let on_relay = |relay: &str, outcome| AttemptRecord {
        relay: relay.to_owned(),
        ..record(at(1), outcome)
    };
    let first = claim_one(&queue, "w", at(1)).await;
    let waits = Outcome {
        again_at: Some(at(3)),
        records: vec![
            on_relay("one:25", "relay_trouble"),
            on_relay("two:25", "relay_refuses_us"),
        ],
        ..settlement(first.claim, MailState::Waiting, at(1))
    };
    settle(&queue, "w", waits).await;
    let second = claim_one(&queue, "w", at(3)).await;
    let delivered = Outcome {
        records: vec![on_relay("two:25", "delivered")],
        ..settlement(second.claim, MailState::Delivered, at(4))
    };

    settle(&queue, "w", delivered).await;

    let tries = story(&store, id).await.tries;
    let told: Vec<_> = tries
        .iter()
        .map(|one| (one.relay.as_str(), one.outcome.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("one:25", "relay_trouble"),
            ("two:25", "relay_refuses_us"),
            ("two:25", "delivered")
        ]
    );
}

pub async fn jobs_say_what_the_states_promise<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    for (state, status) in [
        (MailState::Delivered, "Done"),
        (MailState::NotNeeded, "Done"),
        (MailState::Undeliverable, "Failed"),
        (MailState::Expired, "Failed"),
        (MailState::Poison, "Killed"),
        (MailState::Cancelled, "Killed"),
    ] {
        let id = notice(&store, "ada@example.com", at(0)).await;
        let claimed = claim_one(&queue, "w", at(1)).await;
        settle(&queue, "w", settlement(claimed.claim, state, at(2))).await;

        let jobs = database.jobs().await;
        let job = jobs.iter().find(|job| job.id == id.to_string()).unwrap();

        assert_eq!(job.status, status, "{state:?}");
        assert!(job.is_unlocked());
        assert_eq!(job.done_at, Some(at(2).as_second()));
        let result = job.last_result.as_deref().unwrap();
        let result: serde_json::Value = serde_json::from_str(result).unwrap();
        let word = if status == "Done" { "Ok" } else { "Err" };
        assert_eq!(result[word], "250 2.0.0 Ok");
    }
}

pub async fn a_mail_that_waits_is_pending_unlocked_and_claimed_only_after_its_time<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let claimed = claim_one(&queue, "w", at(0)).await;
    let again_at = at(5) + Duration::from_millis(200);

    settle(
        &queue,
        "w",
        Outcome {
            again_at: Some(again_at),
            records: vec![record(at(0), "recipient_later")],
            ..settlement(claimed.claim, MailState::Waiting, at(0))
        },
    )
    .await;

    let record = story(&store, id).await.mail;
    assert_eq!(record.state, "waiting");
    assert_eq!(record.again_at, Some(at(6)), "what the queue goes by");
    let tries = story(&store, id).await.tries;
    assert_eq!(tries[0].again_at, Some(at(6)), "the try's record says so");
    let job = database.only_job().await;
    assert!(job.status == "Pending" && job.is_unlocked(), "{job:?}");
    assert_eq!(
        queue_next(&queue).await,
        Some(at(6)),
        "never before its time"
    );
    assert!(claim(&queue, "w", 1, at(5)).await.is_empty());
    let second = claim_one(&queue, "w", at(6)).await;
    assert_eq!((second.claim.number, second.tries), (2, 1));
}

async fn queue_next(queue: &domain::store::Store) -> Option<Timestamp> {
    use domain::queue::Keys;
    queue.due(&Keys::Any, at(0)).await.unwrap().next
}

pub async fn an_attempt_that_does_not_count_is_given_back<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    for second in 0..3 {
        let claimed = claim_one(&queue, "w", at(second)).await;
        settle(
            &queue,
            "w",
            Outcome {
                counted: false,
                again_at: Some(at(second + 1)),
                ..settlement(claimed.claim, MailState::Waiting, at(second))
            },
        )
        .await;
    }

    assert_eq!(story(&store, id).await.mail.tries, 0);
    assert_eq!(database.only_job().await.attempts, 0);
    assert_eq!(database.number("select claim_no from mails").await, 3);
}

pub async fn an_old_claim_settles_nothing_and_is_told_so<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let old = claim_one(&queue, "w1", at(0)).await;
    settle(
        &queue,
        "w1",
        Outcome {
            again_at: Some(at(1)),
            ..settlement(old.claim, MailState::Waiting, at(0))
        },
    )
    .await;
    let newest = claim_one(&queue, "w2", at(1)).await;

    let lost = settle(
        &queue,
        "w1",
        Outcome {
            records: vec![record(at(0), "delivered")],
            ..settlement(old.claim, MailState::Delivered, at(2))
        },
    )
    .await;

    let during = story(&store, id).await;
    assert_eq!(lost, [(old.claim, Loss::LeaseLost)]);
    assert_eq!(
        (during.mail.state.as_str(), during.tries.len()),
        ("sending", 0)
    );
    let lost = settle(
        &queue,
        "w2",
        settlement(newest.claim, MailState::Delivered, at(3)),
    )
    .await;
    assert!(lost.is_empty());
    assert_eq!(story(&store, id).await.mail.tries, 2);
}

pub async fn a_claim_settled_twice_counts_once<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let claimed = claim_one(&queue, "w", at(0)).await;

    let first = settle(
        &queue,
        "w",
        settlement(claimed.claim, MailState::Delivered, at(1)),
    )
    .await;
    let second = settle(
        &queue,
        "w",
        settlement(claimed.claim, MailState::Expired, at(2)),
    )
    .await;

    assert!(first.is_empty());
    assert_eq!(second, [(claimed.claim, Loss::LeaseLost)]);
    assert_eq!(story(&store, id).await.mail.state, "delivered");
}

pub async fn an_old_claim_released_changes_nothing<D: Backdoor>() {
    use domain::queue::QueueBatch;

    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let old = claim_one(&queue, "w1", at(0)).await;
    let release = || {
        std::sync::Arc::new(QueueBatch {
            releases: vec![old.claim],
            ..QueueBatch::default()
        })
    };
    queue.commit("w1", release(), at(0)).await.unwrap();
    claim_one(&queue, "w1", at(0)).await;

    queue.commit("w1", release(), at(1)).await.unwrap();

    assert_eq!(story(&store, id).await.mail.state, "sending");
    assert_eq!(database.only_job().await.status, "Running");
}
