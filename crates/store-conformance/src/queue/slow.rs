//! Mails at whose recipient a relay hangs: claimed apart from all others, and those that show whether a relay works.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::id::MailId;
use domain::mail::{Lane, MailState};
use domain::queue::{Claimed, Keys, Outcome, QueueBatch};
use domain::store::Store;
use jiff::Timestamp;

use crate::Backdoor;
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::mails::{claim, claim_one, notice, settle, settlement, story};
use crate::support::people::Person;

fn ids(claimed: &[Claimed]) -> Vec<MailId> {
    claimed.iter().map(|claimed| claimed.claim.mail).collect()
}

async fn takes(queue: &Store, batch: QueueBatch, now: Timestamp) -> Vec<Claimed> {
    let report = queue.commit("w", Arc::new(batch), now).await.unwrap();
    report.claimed
}

/// Settles a claimed mail so that it is due again at that second.
async fn waits(queue: &Store, mail: &Claimed, again: i64, lane: Lane) {
    let waits = Outcome {
        counted: false,
        again_at: Some(at(again)),
        lane,
        ..settlement(mail.claim, MailState::Waiting, at(again))
    };
    settle(queue, "w", waits).await;
}

pub async fn a_slow_mail_is_claimed_only_as_one_until_it_is_slow_no_more<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let id = notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w", at(0)).await;
    waits(&queue, &first, 1, Lane::Slow).await;
    let usual = || QueueBatch {
        claim: 10,
        ..QueueBatch::default()
    };
    let slow = || QueueBatch {
        slow: 10,
        ..QueueBatch::default()
    };

    let as_usual = takes(&queue, usual(), at(1)).await;
    let due = queue.due(&Keys::Any, at(1)).await.unwrap();
    let as_slow = takes(&queue, slow(), at(1)).await;
    waits(&queue, &as_slow[0], 2, Lane::Slow).await;
    let still_slow = takes(&queue, slow(), at(2)).await;
    waits(&queue, &still_slow[0], 3, Lane::Main).await;
    let no_more = takes(&queue, slow(), at(3)).await;
    let as_usual_again = takes(&queue, usual(), at(3)).await;

    assert!(!first.lane.is_slow() && as_usual.is_empty());
    assert_eq!((due.now, due.slow), (false, Some(at(1))));
    assert_eq!((ids(&as_slow), as_slow[0].lane.is_slow()), (vec![id], true));
    assert_eq!(ids(&still_slow), [id]);
    assert!(no_more.is_empty());
    assert_eq!(
        (ids(&as_usual_again), as_usual_again[0].lane.is_slow()),
        (vec![id], false)
    );
}

pub async fn slow_codes_go_before_slow_notices_and_both_beside_what_else_is_claimed<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, "ada@example.com", at(0)).await;
    waits(&queue, &claim_one(&queue, "w", at(0)).await, 1, Lane::Slow).await;
    Person::new("bob").registers(&store, at(1)).await;
    waits(&queue, &claim_one(&queue, "w", at(1)).await, 2, Lane::Slow).await;
    let usual = notice(&store, "cyd@example.com", at(2)).await;

    let batch = QueueBatch {
        claim: 1,
        slow: 1,
        ..QueueBatch::default()
    };
    let claimed = takes(&queue, batch, at(2)).await;

    let [other, slow] = [false, true].map(|slow| {
        let of = claimed.iter().filter(|mail| mail.lane.is_slow() == slow);
        of.cloned().collect::<Vec<_>>()
    });
    assert_eq!(ids(&other), [usual]);
    assert_eq!(slow.len(), 1);
    assert_eq!(slow[0].to, "bob@example.com");
}

pub async fn a_slow_mail_that_has_had_its_turn_often_does_not_keep_a_newer_one_waiting<
    D: Backdoor,
>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let slow = || QueueBatch {
        slow: 1,
        ..QueueBatch::default()
    };
    let old = notice(&store, "ada@example.com", at(0)).await;
    waits(&queue, &claim_one(&queue, "w", at(0)).await, 1, Lane::Slow).await;
    for second in 1..4 {
        let again = takes(&queue, slow(), at(second)).await;
        waits(&queue, &again[0], second + 1, Lane::Slow).await;
    }
    let new = notice(&store, "bob@example.com", at(5)).await;
    waits(&queue, &claim_one(&queue, "w", at(5)).await, 6, Lane::Slow).await;

    let claimed = [
        takes(&queue, slow(), at(10)).await,
        takes(&queue, slow(), at(10)).await,
    ];

    assert_eq!(claimed.map(|claimed| ids(&claimed)), [[new], [old]]);
}

/// Who has not been tried is not kept waiting by those that have, and these not for ever by new ones.
pub async fn mails_of_the_slow_lane_without_an_attempt_share_it_with_others_and_the_newest_goes_first<
    D: Backdoor,
>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let mut mails = Vec::new();
    for (n, lane) in [Lane::Slow, Lane::SlowFirst]
        .into_iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        let second = i64::try_from(n).unwrap();
        let notice = notice(&store, "ada@example.com", at(second)).await;
        waits(&queue, &claim_one(&queue, "w", at(second)).await, 9, lane).await;
        mails.push(notice);
    }
    let slow = |slow, slow_first| QueueBatch {
        slow,
        slow_first,
        ..QueueBatch::default()
    };

    let both = takes(&queue, slow(3, 1), at(9)).await;
    let rest = takes(&queue, slow(4, 0), at(9)).await;
    let last = takes(&queue, slow(4, 4), at(9)).await;

    let set = |claimed: &[Claimed]| BTreeSet::from_iter(ids(claimed));
    assert!(both.iter().all(|mail| mail.lane.is_slow()));
    assert_eq!(set(&both), BTreeSet::from([mails[7], mails[0], mails[2]]));
    let tried_first = BTreeSet::from([mails[4], mails[6], mails[5], mails[3]]);
    assert_eq!(set(&rest), tried_first, "and others where places are left");
    assert_eq!(ids(&last), [mails[1]]);
}

pub async fn mails_that_waited_for_a_destination_which_has_answered_are_due_at_once<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let mut mails = Vec::new();
    for lane in [Lane::Slow, Lane::SlowFirst, Lane::SlowFirst] {
        let notice = notice(&store, "ada@example.com", at(0)).await;
        waits(&queue, &claim_one(&queue, "w", at(0)).await, 60, lane).await;
        mails.push(notice);
    }
    let opened = QueueBatch {
        woken: mails[..2].to_vec(),
        ..QueueBatch::default()
    };

    takes(&queue, opened, at(1)).await;
    let stories = [story(&store, mails[0]).await, story(&store, mails[2]).await];
    let usual = claim(&queue, "w", 9, at(1)).await;
    let slow = QueueBatch {
        slow: 9,
        ..QueueBatch::default()
    };
    let slow = takes(&queue, slow, at(1)).await;

    assert_eq!(ids(&usual), [mails[1]], "it has had no attempt");
    assert_eq!(ids(&slow), [mails[0]]);
    let again = stories.map(|story| story.mail.again_at);
    assert_eq!(again, [None, Some(at(60))]);
}

pub async fn a_mail_that_a_pause_of_its_kind_holds_stays_held_when_its_destination_answers<
    D: Backdoor,
>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let held = notice(&store, "ada@example.com", at(0)).await;
    let first = claim_one(&queue, "w", at(0)).await;
    waits(&queue, &first, 1, Lane::SlowFirst).await;
    database
        .execute(
            "insert into pauses (kind, reason, since_at, paused_by)
             values ('already_registered', '', 0, 'ada')",
        )
        .await;
    let slow = || QueueBatch {
        slow: 9,
        ..QueueBatch::default()
    };
    let while_paused = takes(&queue, slow(), at(1)).await;

    let opened = QueueBatch {
        woken: vec![held],
        claim: 9,
        ..slow()
    };
    let opened = takes(&queue, opened, at(2)).await;
    let due = database.only_job().await.due;

    assert!(while_paused.is_empty() && opened.is_empty());
    assert!(due > 200_000_000_000, "out of reach: {due}");
}

pub async fn a_mail_changes_between_all_lanes_and_keeps_its_urgency<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    notice(&store, "ada@example.com", at(0)).await;
    Person::new("bob").registers(&store, at(0)).await;
    let of = |lane| match lane {
        Lane::Main => QueueBatch {
            claim: 1,
            ..QueueBatch::default()
        },
        Lane::Slow | Lane::SlowFirst => QueueBatch {
            slow: 1,
            ..QueueBatch::default()
        },
    };

    let (mut lane, mut second) = (Lane::Main, 0);
    for next in [Lane::ALL, Lane::ALL].concat() {
        let mut order = Vec::new();
        for _ in 0..2 {
            let mail = takes(&queue, of(lane), at(second)).await.remove(0);
            waits(&queue, &mail, second + 1, next).await;
            order.push(mail.to);
        }
        second += 1;
        lane = next;

        assert_eq!(order, ["bob@example.com", "ada@example.com"], "{next:?}");
    }
}

pub async fn a_part_of_a_claim_may_be_the_newest_mails_and_none_is_claimed_twice<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let mut mails = Vec::new();
    for second in 0..6 {
        mails.push(notice(&store, "ada@example.com", at(second)).await);
    }
    let batch = |claim| QueueBatch {
        claim,
        newest: claim / 2,
        ..QueueBatch::default()
    };

    let both_ends = takes(&queue, batch(4), at(9)).await;
    let rest = takes(&queue, batch(4), at(9)).await;

    let set = |claimed: &[Claimed]| BTreeSet::from_iter(ids(claimed));
    let ends = [mails[0], mails[1], mails[4], mails[5]];
    assert_eq!(set(&both_ends), BTreeSet::from(ends));
    assert_eq!(set(&rest), BTreeSet::from([mails[2], mails[3]]));
}

/// However many have failed since it came, and those of one second in their order.
pub async fn a_trial_is_the_newest_mail_that_has_not_been_tried<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let mut fresh = Vec::new();
    for _ in 0..2 {
        fresh.push(notice(&store, "bob@example.com", at(0)).await);
    }
    for _ in 0..100 {
        notice(&store, "ada@example.com", at(1)).await;
    }
    let newest = QueueBatch {
        claim: 100,
        newest: 100,
        ..QueueBatch::default()
    };
    for mail in takes(&queue, newest, at(1)).await {
        waits(&queue, &mail, 2, Lane::Main).await;
    }
    let trial = || QueueBatch {
        claim: 1,
        trial: true,
        ..QueueBatch::default()
    };

    let mut trials = Vec::new();
    for _ in 0..2 {
        trials.extend(ids(&takes(&queue, trial(), at(9)).await));
    }
    let failed = takes(&queue, trial(), at(9)).await;

    fresh.reverse();
    assert_eq!(trials, fresh);
    assert_eq!(failed[0].claim.number, 2);
}

pub async fn a_trial_is_a_mail_that_has_not_failed_or_else_the_oldest<D: Backdoor>() {
    let database = D::new().await;
    let (store, queue) = (database.store(), database.store());
    let mut failed = Vec::new();
    for second in 0..2 {
        failed.push(notice(&store, "ada@example.com", at(second)).await);
        waits(
            &queue,
            &claim_one(&queue, "w", at(second)).await,
            second,
            Lane::Main,
        )
        .await;
        let again = claim_one(&queue, "w", at(second)).await;
        waits(&queue, &again, second + 3, Lane::Main).await;
    }
    let fresh = notice(&store, "bob@example.com", at(9)).await;
    let trial = || QueueBatch {
        claim: 1,
        trial: true,
        ..QueueBatch::default()
    };

    let first = takes(&queue, trial(), at(9)).await;
    let second = takes(&queue, trial(), at(9)).await;

    assert_eq!(ids(&first), [fresh]);
    assert_eq!(ids(&second), [failed[0]]);
}
