//! Recipients at which the relay hangs: they hold up no other mail, and each of them gets its turn.

use std::time::Duration;

use devmail::{Fault, Stage};
use domain::id::MailId;
use domain::relay::RelayState;

use crate::rig::running::Running;
use crate::rig::{PATIENCE, Rig, outcomes, until};

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

/// A rig whose relay does that to all mails of some domains, these mails, and a worker that has them to send. One other
/// mail got through before.
async fn hanging(fault: impl Fn() -> Fault, domains: Domains) -> (Rig, Vec<MailId>, Running) {
    let rig = Rig::in_real_time(FEW_SLOTS).await;
    let worker = rig.start().await;
    let first = rig.register("cyd@example.com").await;
    rig.reaches(first, "delivered").await;
    let mails = queued(&rig, fault, domains).await;
    (rig, mails, worker)
}

/// Mails to domains to which the relay does that.
async fn queued(rig: &Rig, fault: impl Fn() -> Fault, domains: Domains) -> Vec<MailId> {
    let mut mails = Vec::new();
    for n in 0..MANY {
        let domain = match domains {
            Domains::One => "hangs.test".to_owned(),
            Domains::Each => format!("hangs{n}.test"),
        };
        if n == 0 || matches!(domains, Domains::Each) {
            rig.catcher.faults().add(fault().to_domain(&domain));
        }
        mails.push(rig.register(&format!("ada{n}@{domain}")).await);
    }
    mails
}

/// Other mails, one after the other. None of them can wait for the hanging ones to end: those don't.
async fn others_get_through(rig: &Rig, name: &str) {
    for n in 0..5 {
        let id = rig.register(&format!("{name}{n}@example.com")).await;
        let story = rig.reaches(id, "delivered").await;
        assert_eq!(outcomes(&story), ["delivered"]);
    }
}

async fn relay_state(rig: &Rig) -> RelayState {
    let posted = rig
        .database
        .store
        .view()
        .await
        .unwrap()
        .posted_relays()
        .await
        .unwrap();
    posted
        .first()
        .map_or(RelayState::Closed, |posted| posted.standing.state)
}

#[tokio::test]
async fn recipients_at_which_the_relay_hangs_hold_up_no_other_mail_however_many_domains_they_are_of()
 {
    for domains in [Domains::One, Domains::Each] {
        let (rig, _, worker) = hanging(|| Fault::hang(Stage::Rcpt), domains).await;
        let stages = rig.catcher.stages();
        stages.wait(Stage::Rcpt, 4, PATIENCE).await.unwrap();

        others_get_through(&rig, "bob").await;
        let state = relay_state(&rig).await;
        worker.stop().await;

        assert_eq!(state, RelayState::Closed);
    }
}

/// At the end of the message nothing is cut, since the relay may have accepted it: more than its two mails at once
/// would take all slots.
#[tokio::test]
async fn a_recipient_at_which_the_relay_hangs_after_the_message_holds_up_no_other_mail() {
    let rig = Rig::in_real_time(FEW_SLOTS).await;
    let worker = rig.start().await;
    rig.catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).to_domain("hangs.test"));
    for n in 0..MANY {
        rig.register_as(&format!("ada{n}"), "ada@hangs.test").await;
    }
    let stages = rig.catcher.stages();
    stages.wait(Stage::EndOfData, 2, PATIENCE).await.unwrap();

    others_get_through(&rig, "zoe").await;
    worker.stop().await;
}

#[tokio::test]
async fn recipients_at_which_the_relay_breaks_off_hold_up_no_other_mail_and_open_no_breaker() {
    for fault in [
        || Fault::reply(Stage::Rcpt, 421, "4.3.2 Busy"),
        || Fault::cut(Stage::Rcpt),
    ] {
        let (rig, mails, worker) = hanging(fault, Domains::Each).await;
        for id in &mails {
            until("each has been tried", async || {
                !rig.story(*id).await.tries.is_empty()
            })
            .await;
        }

        others_get_through(&rig, "bob").await;
        let state = relay_state(&rig).await;
        worker.stop().await;

        assert_eq!(state, RelayState::Closed);
    }
}

#[tokio::test]
async fn other_stages_that_hang_for_some_recipients_hold_up_no_other_mail() {
    let (rig, _, worker) = hanging(|| Fault::hang(Stage::Data), Domains::Each).await;

    others_get_through(&rig, "bob").await;
    worker.stop().await;
}

/// As many of one kind as there are slots, and a relay that answers all others at once.
#[tokio::test]
async fn mails_over_whose_end_of_data_the_relay_takes_long_are_never_cut_there_and_arrive_once() {
    let rig = Rig::in_real_time(FEW_SLOTS).await;
    let scan = Fault::delay(Stage::EndOfData, Duration::from_secs(7)).to_domain("scan.test");
    rig.catcher.faults().add(scan);
    let worker = rig.start().await;
    for n in 0..8 {
        let quick = rig.register(&format!("bob{n}@example.com")).await;
        rig.reaches(quick, "delivered").await;
    }

    let mut mails = Vec::new();
    for n in 0..4 {
        mails.push(rig.register(&format!("ada{n}@scan.test")).await);
    }
    let mut ends = Vec::new();
    for id in mails {
        ends.push(rig.reaches(id, "delivered").await);
    }
    worker.stop().await;

    for story in ends {
        assert_eq!(outcomes(&story), ["delivered"]);
    }
    assert_eq!(rig.catcher.inbox().accepted(), 12, "each once");
}

#[tokio::test]
async fn a_mail_that_was_put_off_says_why_costs_no_attempt_and_gets_through_when_its_relay_answers()
{
    let (rig, mails, worker) = hanging(|| Fault::hang(Stage::Rcpt), Domains::Each).await;
    let mut put_off = None;
    until("one is put off", async || {
        for id in &mails {
            let story = rig.story(*id).await;
            if story.mail.state == "waiting" && outcomes(&story) == ["put_off"] {
                put_off = Some(story);
                return true;
            }
        }
        false
    })
    .await;
    let put_off = put_off.unwrap();

    rig.catcher.faults().clear();
    rig.catcher.faults().release();
    for id in &mails {
        rig.reaches(*id, "delivered").await;
    }
    worker.stop().await;

    assert_eq!(put_off.mail.tries, 0);
    let reason = put_off.mail.reason.unwrap();
    assert!(reason.contains("was slow at rcpt"), "{reason}");
    assert_eq!(rig.catcher.inbox().accepted(), 1 + MANY as u64, "each once");
}

#[tokio::test]
async fn mails_to_a_domain_that_hangs_wait_for_the_slow_lane_and_say_so() {
    let (rig, _, worker) = hanging(|| Fault::hang(Stage::Rcpt), Domains::One).await;

    let mut untried = Vec::new();
    until("one waits that has not been tried", async || {
        untried = rig.mails().await;
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
    let rig = Rig::in_real_time(&[("SMART_NOTES__SMTP__MAX_CONNECTIONS", connections)]).await;
    let faults = rig.catcher.faults();
    faults.add(Fault::hang(Stage::Rcpt).to_domain("hangs.test"));
    let mut slow = Vec::new();
    for n in 0..3 {
        let takes_long = Fault::delay(Stage::Rcpt, Duration::from_secs(3));
        faults.add(takes_long.to_domain(&format!("slow{n}.test")));
        rig.register(&format!("eve{n}@hangs.test")).await;
        slow.push(rig.register(&format!("ada{n}@slow{n}.test")).await);
    }
    let worker = rig.start().await;

    others_get_through(&rig, "bob").await;
    for id in slow {
        rig.reaches(id, "delivered").await;
    }
    others_get_through(&rig, "cyd").await;
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
    let rig = Rig::in_real_time(FEW_SLOTS).await;
    let slow = Fault::delay(Stage::Rcpt, Duration::from_secs(2));
    rig.catcher.faults().add(slow);
    let worker = rig.start().await;
    let mut mails = Vec::new();
    for n in 0..12 {
        mails.push(rig.register(&format!("ada{n}@example.com")).await);
    }

    for id in mails {
        rig.reaches(id, "delivered").await;
    }
    worker.stop().await;

    assert_eq!(rig.catcher.inbox().accepted(), 12);
}

/// Nothing has got through yet, so that the relay could be out of order.
#[tokio::test]
async fn a_relay_at_which_only_failing_mails_were_tried_is_tried_with_one_that_has_not_failed() {
    let rig = Rig::in_real_time(FEW_SLOTS).await;
    queued(&rig, || Fault::cut(Stage::Rcpt), Domains::Each).await;
    let worker = rig.start().await;
    until("nothing gets through", async || {
        relay_state(&rig).await != RelayState::Closed
    })
    .await;

    others_get_through(&rig, "bob").await;
    worker.stop().await;
}
