//! Mails at whose recipient a relay hangs: claimed apart from all others, and those that show whether a relay works.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::id::MailId;
use domain::mail::MailState;
use domain::queue::{Claimed, JobQueue, Keys, Settlement, Turn};
use jiff::Timestamp;
use store_sqlite::Sqlite;

use crate::support::mails::{claim_one, notice, settle, settlement};
use crate::support::people::Person;
use crate::support::{Database, at};

fn ids(claimed: &[Claimed]) -> Vec<MailId> {
    claimed.iter().map(|claimed| claimed.claim.mail).collect()
}

async fn takes(queue: &Sqlite, turn: Turn, now: Timestamp) -> Vec<Claimed> {
    let report = queue.turn("w", Arc::new(turn), now).await.unwrap();
    report.claimed
}

/// Settles a claimed mail so that it is due again at that second.
async fn waits(queue: &Sqlite, mail: &Claimed, again: i64, slow: bool) {
    let waits = Settlement {
        counted: false,
        again_at: Some(at(again)),
        slow,
        ..settlement(mail.claim, MailState::Waiting, at(again))
    };
    settle(queue, "w", waits).await;
}

#[tokio::test]
async fn a_slow_mail_is_claimed_only_as_one_until_it_is_slow_no_more() {
    let database = Database::new().await;
    let (store, queue) = (database.store(), database.sqlite());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w", at(0)).await;
    waits(&queue, &first, 1, true).await;
    let usual = || Turn {
        claim: 10,
        ..Turn::default()
    };
    let slow = || Turn {
        slow: 10,
        ..Turn::default()
    };

    let as_usual = takes(&queue, usual(), at(1)).await;
    let due = queue.due(&Keys::Any, at(1)).await.unwrap();
    let as_slow = takes(&queue, slow(), at(1)).await;
    waits(&queue, &as_slow[0], 2, true).await;
    let still_slow = takes(&queue, slow(), at(2)).await;
    waits(&queue, &still_slow[0], 3, false).await;
    let no_more = takes(&queue, slow(), at(3)).await;
    let as_usual_again = takes(&queue, usual(), at(3)).await;

    assert!(!first.slow && as_usual.is_empty());
    assert_eq!((due.now, due.slow), (false, Some(at(1))));
    assert_eq!((ids(&as_slow), as_slow[0].slow), (vec![id], true));
    assert_eq!(ids(&still_slow), [id]);
    assert!(no_more.is_empty());
    assert_eq!(
        (ids(&as_usual_again), as_usual_again[0].slow),
        (vec![id], false)
    );
}

#[tokio::test]
async fn slow_codes_go_before_slow_notices_and_both_beside_what_else_is_claimed() {
    let database = Database::new().await;
    let (store, queue) = (database.store(), database.sqlite());
    notice(&store, "ada@example.com", at(0)).await;
    waits(&queue, &claim_one(&queue, "w", at(0)).await, 1, true).await;
    Person::new("bob").registers(&store, at(1)).await;
    waits(&queue, &claim_one(&queue, "w", at(1)).await, 2, true).await;
    let usual = notice(&store, "cyd@example.com", at(2)).await;

    let turn = Turn {
        claim: 1,
        slow: 1,
        ..Turn::default()
    };
    let claimed = takes(&queue, turn, at(2)).await;

    let [other, slow] = [false, true].map(|slow| {
        let of = claimed.iter().filter(|mail| mail.slow == slow);
        of.cloned().collect::<Vec<_>>()
    });
    assert_eq!(ids(&other), [usual]);
    assert_eq!(slow.len(), 1);
    assert_eq!(slow[0].to, "bob@example.com");
}

#[tokio::test]
async fn a_slow_mail_that_has_had_its_turn_often_does_not_keep_a_newer_one_waiting() {
    let database = Database::new().await;
    let (store, queue) = (database.store(), database.sqlite());
    let slow = || Turn {
        slow: 1,
        ..Turn::default()
    };
    let old = notice(&store, "ada@example.com", at(0)).await;
    waits(&queue, &claim_one(&queue, "w", at(0)).await, 1, true).await;
    for second in 1..4 {
        let again = takes(&queue, slow(), at(second)).await;
        waits(&queue, &again[0], second + 1, true).await;
    }
    let new = notice(&store, "bob@example.com", at(5)).await;
    waits(&queue, &claim_one(&queue, "w", at(5)).await, 6, true).await;

    let claimed = [
        takes(&queue, slow(), at(10)).await,
        takes(&queue, slow(), at(10)).await,
    ];

    assert_eq!(claimed.map(|claimed| ids(&claimed)), [[new], [old]]);
}

#[tokio::test]
async fn a_part_of_a_claim_may_be_the_newest_mails_and_none_is_claimed_twice() {
    let database = Database::new().await;
    let (store, queue) = (database.store(), database.sqlite());
    let mut mails = Vec::new();
    for second in 0..6 {
        mails.push(notice(&store, "ada@example.com", at(second)).await);
    }
    let turn = |claim| Turn {
        claim,
        newest: claim / 2,
        ..Turn::default()
    };

    let both_ends = takes(&queue, turn(4), at(9)).await;
    let rest = takes(&queue, turn(4), at(9)).await;

    let set = |claimed: &[Claimed]| BTreeSet::from_iter(ids(claimed));
    let ends = [mails[0], mails[1], mails[4], mails[5]];
    assert_eq!(set(&both_ends), BTreeSet::from(ends));
    assert_eq!(set(&rest), BTreeSet::from([mails[2], mails[3]]));
}

#[tokio::test]
async fn a_trial_is_a_mail_that_has_not_failed_or_else_the_oldest() {
    let database = Database::new().await;
    let (store, queue) = (database.store(), database.sqlite());
    let mut failed = Vec::new();
    for second in 0..2 {
        failed.push(notice(&store, "ada@example.com", at(second)).await);
        waits(
            &queue,
            &claim_one(&queue, "w", at(second)).await,
            second,
            false,
        )
        .await;
        let again = claim_one(&queue, "w", at(second)).await;
        waits(&queue, &again, second + 3, false).await;
    }
    let fresh = notice(&store, "bob@example.com", at(9)).await;
    let trial = || Turn {
        claim: 1,
        trial: true,
        ..Turn::default()
    };

    let first = takes(&queue, trial(), at(9)).await;
    let second = takes(&queue, trial(), at(9)).await;

    assert_eq!(ids(&first), [fresh]);
    assert_eq!(ids(&second), [failed[0]]);
}
