//! Recipients at which the relay hangs: they hold up no other mail, and each of them gets its turn.

use std::time::Duration;

use devmail::{Fault, Stage};
use domain::id::MailId;
use domain::relay::RelayState;

use crate::harness::running::Running;
use crate::harness::{Harness, PATIENCE, outcomes, until};

/// Few, so that hanging mails take them all at once.
const FEW_SLOTS: &[(&str, &str)] = &[
    ("SMART_NOTES__WORKER__CONCURRENCY", "4"),
    ("SMART_NOTES__SMTP__MAX_CONNECTIONS", "4"),
];

/// As many as could not all be waited for, one limit of a stage after the other.
const MANY: usize = 24;

/// Whose domains hang.
#[derive(Clone, Copy)]
enum Domains {
    One,
    Each,
}

/// A harness whose relay does that to all mails of some domains, these mails, and a worker that has them to send. One other
/// mail got through before.
async fn hanging(fault: impl Fn() -> Fault, domains: Domains) -> (Harness, Vec<MailId>, Running) {
    let harness = Harness::in_real_time(FEW_SLOTS).await;
    let worker = harness.start().await;
    let first = harness.register("cyd@example.com").await;
    harness.reaches(first, "delivered").await;
    let mails = queued(&harness, fault, domains).await;
    (harness, mails, worker)
}

/// Mails to domains to which the relay does that.
async fn queued(harness: &Harness, fault: impl Fn() -> Fault, domains: Domains) -> Vec<MailId> {
    let mut mails = Vec::new();
    for n in 0..MANY {
        let domain = match domains {
            Domains::One => "hangs.test".to_owned(),
            Domains::Each => format!("hangs{n}.test"),
        };
        if n == 0 || matches!(domains, Domains::Each) {
            harness.catcher.faults().add(fault().to_domain(&domain));
        }
        mails.push(harness.register(&format!("ada{n}@{domain}")).await);
    }
    mails
}

/// Other mails, one after the other. None of them can wait for the hanging ones to end: those don't.
async fn others_get_through(harness: &Harness, name: &str) {
    for n in 0..5 {
        let id = harness.register(&format!("{name}{n}@example.com")).await;
        let story = harness.reaches(id, "delivered").await;
        assert_eq!(outcomes(&story), ["delivered"]);
    }
}

async fn relay_state(harness: &Harness) -> RelayState {
    let posted = harness
        .database
        .store
        .reader()
        .await
        .unwrap()
        .posted_relays()
        .await
        .unwrap();
    posted
        .first()
        .map_or(RelayState::Closed, |posted| posted.status.state)
}

#[tokio::test]
async fn recipients_at_which_the_relay_hangs_hold_up_no_other_mail_however_many_domains_they_are_of()
 {
    for domains in [Domains::One, Domains::Each] {
        let (harness, _, worker) = hanging(|| Fault::hang(Stage::Rcpt), domains).await;
        let stages = harness.catcher.stages();
        stages.wait(Stage::Rcpt, 4, PATIENCE).await.unwrap();

        others_get_through(&harness, "bob").await;
        let state = relay_state(&harness).await;
        worker.stop().await;

        assert_eq!(state, RelayState::Closed);
    }
}

/// At the end of the message nothing is cut, since the relay may have accepted it: more than its two mails at once
/// would take all slots.
#[tokio::test]
async fn a_recipient_at_which_the_relay_hangs_after_the_message_holds_up_no_other_mail() {
    let harness = Harness::in_real_time(FEW_SLOTS).await;
    let worker = harness.start().await;
    harness
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).to_domain("hangs.test"));
    for n in 0..MANY {
        harness
            .register_as(&format!("ada{n}"), "ada@hangs.test")
            .await;
    }
    let stages = harness.catcher.stages();
    stages.wait(Stage::EndOfData, 2, PATIENCE).await.unwrap();

    others_get_through(&harness, "zoe").await;
    worker.stop().await;
}

#[tokio::test]
async fn recipients_at_which_the_relay_breaks_off_hold_up_no_other_mail_and_open_no_breaker() {
    for fault in [
        || Fault::reply(Stage::Rcpt, 421, "4.3.2 Busy"),
        || Fault::cut(Stage::Rcpt),
    ] {
        let (harness, mails, worker) = hanging(fault, Domains::Each).await;
        for id in &mails {
            until("each has been tried", async || {
                !harness.story(*id).await.tries.is_empty()
            })
            .await;
        }

        others_get_through(&harness, "bob").await;
        let state = relay_state(&harness).await;
        worker.stop().await;

        assert_eq!(state, RelayState::Closed);
    }
}

#[tokio::test]
async fn other_stages_that_hang_for_some_recipients_hold_up_no_other_mail() {
    let (harness, _, worker) = hanging(|| Fault::hang(Stage::Data), Domains::Each).await;

    others_get_through(&harness, "bob").await;
    worker.stop().await;
}

/// As many of one kind as there are slots, and a relay that answers all others at once.
#[tokio::test]
async fn mails_over_whose_end_of_data_the_relay_takes_long_are_never_cut_there_and_arrive_once() {
    let harness = Harness::in_real_time(FEW_SLOTS).await;
    let scan = Fault::delay(Stage::EndOfData, Duration::from_secs(7)).to_domain("scan.test");
    harness.catcher.faults().add(scan);
    let worker = harness.start().await;
    for n in 0..8 {
        let quick = harness.register(&format!("bob{n}@example.com")).await;
        harness.reaches(quick, "delivered").await;
    }

    let mut mails = Vec::new();
    for n in 0..4 {
        mails.push(harness.register(&format!("ada{n}@scan.test")).await);
    }
    let mut ends = Vec::new();
    for id in mails {
        ends.push(harness.reaches(id, "delivered").await);
    }
    worker.stop().await;

    for story in ends {
        assert_eq!(outcomes(&story), ["delivered"]);
    }
    assert_eq!(harness.catcher.inbox().accepted(), 12, "each once");
}

#[tokio::test]
async fn a_mail_that_was_put_off_says_why_costs_no_attempt_and_gets_through_when_its_relay_answers()
{
    let (harness, mails, worker) = hanging(|| Fault::hang(Stage::Rcpt), Domains::Each).await;
    let mut put_off = None;
    until("one is put off", async || {
        for id in &mails {
            let story = harness.story(*id).await;
            if story.mail.state == "waiting" && outcomes(&story) == ["put_off"] {
                put_off = Some(story);
                return true;
            }
        }
        false
    })
    .await;
    let put_off = put_off.unwrap();

    harness.catcher.faults().clear();
    harness.catcher.faults().release();
    for id in &mails {
        harness.reaches(*id, "delivered").await;
    }
    worker.stop().await;

    assert_eq!(put_off.mail.tries, 0);
    let reason = put_off.mail.reason.unwrap();
    assert!(reason.contains("was slow at rcpt"), "{reason}");
    assert_eq!(
        harness.catcher.inbox().accepted(),
        1 + MANY as u64,
        "each once"
    );
}

#[tokio::test]
async fn mails_to_a_domain_that_hangs_wait_for_the_slow_lane_and_say_so() {
    let (harness, _, worker) = hanging(|| Fault::hang(Stage::Rcpt), Domains::One).await;

    let mut untried = Vec::new();
    until("one waits that has not been tried", async || {
        untried = harness.mails().await;
        untried.retain(|mail| {
            let reason = mail.reason.as_deref().unwrap_or_default();
            reason.starts_with(
                "waits for a place on the slow lane: relays hang at 3 recipients of hangs.test",
            )
        });
        !untried.is_empty()
    })
    .await;
    worker.stop().await;

    assert!(untried.iter().all(|mail| mail.tries == 0), "{untried:?}");
}

async fn slow_mails_end_and_others_flow(connections: &str) {
    let harness =
        Harness::in_real_time(&[("SMART_NOTES__SMTP__MAX_CONNECTIONS", connections)]).await;
    let faults = harness.catcher.faults();
    faults.add(Fault::hang(Stage::Rcpt).to_domain("hangs.test"));
    let mut slow = Vec::new();
    for n in 0..3 {
        let takes_long = Fault::delay(Stage::Rcpt, Duration::from_secs(3));
        faults.add(takes_long.to_domain(&format!("slow{n}.test")));
        harness.register(&format!("eve{n}@hangs.test")).await;
        slow.push(harness.register(&format!("ada{n}@slow{n}.test")).await);
    }
    let worker = harness.start().await;

    others_get_through(&harness, "bob").await;
    for id in slow {
        harness.reaches(id, "delivered").await;
    }
    others_get_through(&harness, "cyd").await;
    faults.clear();
    faults.release();
    worker.stop().await;
}

/// However few the connections: with one there is no lane, and the two kinds take turns.
#[tokio::test]
async fn with_one_to_three_connections_slow_mails_end_and_others_flow_meanwhile() {
    tokio::join!(
        slow_mails_end_and_others_flow("1"),
        slow_mails_end_and_others_flow("2"),
        slow_mails_end_and_others_flow("3"),
    );
}

#[tokio::test]
async fn a_relay_that_takes_seconds_over_every_mail_gets_them_all_delivered_once() {
    let harness = Harness::in_real_time(FEW_SLOTS).await;
    let slow = Fault::delay(Stage::Rcpt, Duration::from_secs(2));
    harness.catcher.faults().add(slow);
    let worker = harness.start().await;
    let mut mails = Vec::new();
    for n in 0..12 {
        mails.push(harness.register(&format!("ada{n}@example.com")).await);
    }

    for id in mails {
        harness.reaches(id, "delivered").await;
    }
    worker.stop().await;

    assert_eq!(harness.catcher.inbox().accepted(), 12);
}

/// Nothing has got through yet, so that the relay could be out of order.
#[tokio::test]
async fn a_relay_at_which_only_failing_mails_were_tried_is_tried_with_one_that_has_not_failed() {
    let harness = Harness::in_real_time(FEW_SLOTS).await;
    queued(&harness, || Fault::cut(Stage::Rcpt), Domains::Each).await;
    let worker = harness.start().await;
    until("nothing gets through", async || {
        relay_state(&harness).await != RelayState::Closed
    })
    .await;

    others_get_through(&harness, "bob").await;
    worker.stop().await;
}
