//! The depth of the queue, and the keys that mails wait for.

use std::sync::Arc;
use std::time::Duration;

use domain::mail::{Lane, MailState};
use domain::processes::{KeyNeed, QueueDepth};
use domain::queue::{Outcome, QueueBatch};

use crate::Backdoor;
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, notice, settle, settlement};
use crate::support::people::{Person, keys};

fn depth(queued: u64, sending: u64, waiting: u64, due_since: Option<i64>) -> QueueDepth {
    QueueDepth {
        states: vec![
            (MailState::Queued, queued),
            (MailState::Sending, sending),
            (MailState::Waiting, waiting),
        ],
        due_since: due_since.map(at),
    }
}

pub async fn the_depth_counts_what_is_not_over_and_knows_since_when_it_is_due<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let empty = queue.queue_depth(at(0)).await.unwrap();
    for second in 10..14 {
        notice(&store, "ada@example.com", at(second)).await;
    }

    let early = queue.queue_depth(at(9)).await.unwrap();
    let all = queue.queue_depth(at(20)).await.unwrap();
    let done = claim_one_of(&queue, 11).await;
    settle(&queue, "w", settlement(done, MailState::Delivered, at(21))).await;
    let waits = claim_one_of(&queue, 12).await;
    let later = Outcome {
        again_at: Some(at(60)),
        ..settlement(waits, MailState::Waiting, at(22))
    };
    settle(&queue, "w", later).await;
    claim_one_of(&queue, 13).await;
    let mixed = queue.queue_depth(at(30)).await.unwrap();
    let due_again = queue.queue_depth(at(61)).await.unwrap();
    claim(&queue, "w", 10, at(61)).await;
    let in_flight = queue.queue_depth(at(61)).await.unwrap();

    assert_eq!(empty, depth(0, 0, 0, None));
    assert_eq!(early, depth(4, 0, 0, None));
    assert_eq!(all, depth(4, 0, 0, Some(10)));
    assert_eq!(mixed, depth(1, 1, 1, Some(13)));
    assert_eq!(due_again, depth(1, 1, 1, Some(13)));
    assert_eq!(in_flight, depth(0, 3, 0, None));
}

pub async fn the_oldest_due_mail_may_be_one_of_the_slow_lane<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    for (second, lane) in [(1, Lane::Slow), (2, Lane::SlowFirst)] {
        notice(&store, "ada@example.com", at(second)).await;
        let slow = Outcome {
            lane,
            again_at: Some(at(10 * second)),
            ..settlement(
                claim_one_of(&queue, second + 1).await,
                MailState::Waiting,
                at(second),
            )
        };
        settle(&queue, "w", slow).await;
    }
    notice(&store, "bob@example.com", at(30)).await;

    let mut since = Vec::new();
    for _ in 0..3 {
        since.push(queue.queue_depth(at(40)).await.unwrap().due_since);
        let batch = QueueBatch {
            slow: 1,
            slow_first: u32::from(since.len() == 2),
            ..QueueBatch::default()
        };
        queue.commit("w", Arc::new(batch), at(40)).await.unwrap();
    }

    assert_eq!(since, [Some(at(10)), Some(at(20)), Some(at(30))]);
}

/// Claims the oldest mail at a time when it is the only one due.
async fn claim_one_of(queue: &domain::store::Store, before: i64) -> domain::queue::Claim {
    claim_one(queue, "w", at(before) - Duration::from_secs(1))
        .await
        .claim
}

pub async fn the_keys_that_waiting_codes_need_are_named_while_the_codes_live<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    Person::new("ada").registers(&store, at(0)).await;
    Person::new("bob").registers(&store, at(5)).await;
    notice(&store, "eve@example.com", at(0)).await;

    let needed = queue.keys_needed(at(10)).await.unwrap();
    let dead = queue.keys_needed(at(601)).await.unwrap();
    claim(&queue, "w", 10, at(10)).await;
    let in_flight = queue.keys_needed(at(10)).await.unwrap();

    let need = KeyNeed {
        key: keys().current().clone(),
        mails: 2,
        oldest: at(0),
    };
    assert_eq!(needed, [need]);
    assert_eq!(dead[0].mails, 1, "bob's lives for another few seconds");
    assert_eq!(in_flight, []);
}

pub async fn the_newest_mail_is_the_one_asked_for_last<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());

    let none = queue.newest_mail().await.unwrap();
    notice(&store, "ada@example.com", at(1)).await;
    notice(&store, "ada@example.com", at(2)).await;
    let newest = queue.newest_mail().await.unwrap();

    assert_eq!((none, newest), (None, Some(at(2))));
}
