//! What is told of each kind of story.

use domain::id::MailId;
use domain::operator::Pause;
use jiff::{SignedDuration, Timestamp};

use super::*;

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T12:03:04Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn attempt(seconds: i64, outcome: &str, code: Option<u16>, text: &str) -> TryRecord {
    TryRecord {
        started: at(seconds),
        duration_ms: 0,
        relay: "mx:25".to_owned(),
        reused: false,
        stage: "rcpt".to_owned(),
        code,
        enhanced: None,
        text: text.to_owned(),
        outcome: outcome.to_owned(),
        again_at: None,
    }
}

fn story(state: &str, tries: Vec<TryRecord>) -> MailStory {
    let is_final = !matches!(state, "queued" | "waiting" | "sending");
    MailStory {
        mail: MailRecord {
            id: MailId::generate(),
            kind: "verify_email".to_owned(),
            state: state.to_owned(),
            reason: Some("its code has expired".to_owned()),
            to: "ada@example.com".to_owned(),
            to_key: "ada@example.com".to_owned().into(),
            request_id: "r-1".to_owned(),
            created: at(0),
            deadline: Some(at(600)),
            again_at: None,
            finished: is_final.then(|| at(50)),
            tries: 0,
            cut_offs: 0,
        },
        tries,
    }
}

static NOTHING: Holds = Holds {
    pauses: Vec::new(),
    relays: Vec::new(),
    worker_alive: true,
};

fn around() -> Around<'static> {
    Around {
        told: Told::at(at(60)),
        holds: &NOTHING,
    }
}

#[test]
fn a_mail_that_was_greylisted_and_delivered_is_told_in_four_sentences() {
    let tries = vec![
        attempt(0, "recipient_later", Some(450), "4.2.0 greylisted"),
        attempt(5, "recipient_later", Some(450), "4.2.0 greylisted"),
        attempt(47, "delivered", Some(250), "2.0.0 queued"),
    ];
    let story = story("delivered", tries);

    let told = of(&story, around());

    assert_eq!(
        told,
        [
            format!(
                "A verification code was asked for at 12:03:04 (request r-1, mail {}).",
                story.mail.id
            ),
            "The relay mx:25 said \"try again later\" twice, at 12:03:04 and 12:03:09: `450 4.2.0 greylisted`."
                .to_owned(),
            "The relay mx:25 accepted it on the third try at 12:03:51, 47 s after the request: `250 2.0.0 queued`."
                .to_owned(),
            "Whether it reached the inbox can't be seen from here: bounces that come later are not shown."
                .to_owned(),
        ]
    );
}

#[test]
fn what_a_relay_in_trouble_costs_is_no_try() {
    let mut down = attempt(0, "relay_trouble", None, "Connection refused");
    down.stage = "connect".to_owned();
    let tries = vec![down, attempt(9, "delivered", Some(250), "2.0.0 queued")];

    let told = of(&story("delivered", tries), around());

    assert_eq!(
        told[1..3],
        [
            "The relay mx:25 was out of order once, at 12:03:04, at the stage `connect`: `Connection refused`. That costs the mail no try.",
            "The relay mx:25 accepted it at 12:03:13, 9 s after the request: `250 2.0.0 queued`.",
        ]
    );
}

#[test]
fn a_mail_at_whose_recipient_the_relay_hangs_says_so_and_does_not_blame_the_relay() {
    let slow = "no answer yet, and its connection was needed for other mails";
    let mut tries = vec![
        attempt(0, "relay_trouble", Some(421), "4.3.2 busy"),
        attempt(6, "put_off", None, slow),
        attempt(12, "put_off", None, slow),
        attempt(20, "delivered", Some(250), "2.0.0 queued"),
    ];
    for one in &mut tries[..3] {
        one.stage = "rcpt".to_owned();
    }

    let told = of(&story("delivered", tries), around());

    assert_eq!(
        told[1..4],
        [
            "The relay mx:25 failed at this recipient once, at 12:03:04, at the stage `rcpt`: `421 4.3.2 busy`. That costs the mail no try.",
            "The relay mx:25 did not answer in time twice, at 12:03:10 and 12:03:16, at the stage `rcpt`, and other mails needed the connection: the mail was put off. That costs it no try.",
            "The relay mx:25 accepted it at 12:03:24, 20 s after the request: `250 2.0.0 queued`.",
        ]
    );
}

#[test]
fn a_mail_that_waits_says_for_what() {
    let mut waiting = story("waiting", Vec::new());
    let last = |story: &MailStory, around: Around<'_>| of(story, around)[1].clone();

    assert!(last(&waiting, around()).contains("has a hand free"));
    waiting.mail.again_at = Some(at(75));
    assert_eq!(last(&waiting, around()), "The next try is due at 12:04:19.");
    waiting.mail.reason = Some("waits on the slow lane for a pause to end".to_owned());
    assert_eq!(
        of(&waiting, around())[1..3],
        [
            "It waits on the slow lane for a pause to end.",
            "The next try is due at 12:04:19."
        ]
    );
    waiting.mail.again_at = None;
    waiting.mail.reason = Some("mx:25 was slow at rcpt".to_owned());
    waiting.tries = vec![attempt(0, "put_off", None, "no answer yet")];
    let lane = of(&waiting, around())[2].clone();
    assert!(
        lane.contains("waits for a place on the slow lane"),
        "{lane}"
    );
    waiting.tries.clear();
    let no_worker = Holds {
        pauses: Vec::new(),
        relays: Vec::new(),
        worker_alive: false,
    };
    let alone = Around {
        holds: &no_worker,
        ..around()
    };
    assert!(last(&waiting, alone).contains("no worker is alive"));
    let pause = Pause {
        kind: Some("verify_email".to_owned()),
        reason: "new templates".to_owned(),
        since: at(1),
        by: "ada".to_owned(),
    };
    let holds = Holds {
        pauses: vec![pause],
        relays: Vec::new(),
        worker_alive: true,
    };
    let paused = Around {
        holds: &holds,
        ..around()
    };
    let told = last(&waiting, paused);
    assert!(told.contains("verify_email is paused since"), "{told}");
    assert!(told.contains("new templates"), "{told}");
    assert!(
        told.ends_with("smart-notes jobs resume --kind verify_email"),
        "{told}"
    );
}

#[test]
fn a_mail_whose_try_was_cut_off_may_be_there_once_more() {
    let mut cut = story(
        "delivered",
        vec![
            attempt(0, "cut_off", None, "no answer within 60s"),
            attempt(5, "delivered", Some(250), "2.0.0 queued"),
        ],
    );
    cut.mail.cut_offs = 1;

    let told = of(&cut, around());

    assert_eq!(
        told[1],
        "It was cut off at 12:03:04, after the end of the message and before a clear answer: `no answer within 60s`."
    );
    assert_eq!(
        told.last().unwrap(),
        "In the first try, at 12:03:04, the relay may have accepted it without our hearing of it: \
         it may be there once more, with the same digits."
    );
}

#[test]
fn a_mail_that_may_be_there_is_not_said_to_be_undelivered_or_unsent() {
    for (state, end) in [
        (
            "expired",
            "It expired at 12:03:54: its code has expired. A new code has to be asked for.",
        ),
        (
            "not_needed",
            "It was not needed any more at 12:03:54, so it was not sent again: its code has expired.",
        ),
    ] {
        let mut cut = story(state, vec![attempt(0, "cut_off", None, "no answer")]);
        cut.mail.cut_offs = 1;

        let told = of(&cut, around());

        assert_eq!(told[2], end);
        assert!(
            told[3].ends_with(": it may be there, with the same digits."),
            "{}",
            told[3]
        );
    }
}

#[test]
fn nothing_is_said_of_codes_where_the_mail_has_none() {
    let mut notice = story("expired", vec![attempt(0, "cut_off", None, "no answer")]);
    notice.mail.kind = "password_changed".to_owned();
    notice.mail.deadline = None;
    notice.mail.reason = Some("its time was over".to_owned());
    notice.mail.cut_offs = 1;

    let told = of(&notice, around());

    assert_eq!(told[2], "It expired at 12:03:54: its time was over.");
    assert!(told[3].ends_with("it may be there."), "{}", told[3]);
}

#[test]
fn a_mail_whose_key_is_missing_waits_for_that_and_not_for_a_free_hand() {
    let mut waiting = story("waiting", Vec::new());
    let reason = "waits for a worker that has the secret key 7adafe44, which makes its code";
    waiting.mail.reason = Some(reason.to_owned());

    let told = of(&waiting, around());

    assert_eq!(told[1], format!("It {reason}."));
}

#[test]
fn every_state_has_a_sentence_of_its_own() {
    for state in domain::mail::MailState::ALL {
        let told = of(&story(state.as_str(), Vec::new()), around());

        assert!(told.len() >= 2, "{state:?}");
        assert!(!told[1].starts_with("It is "), "{state:?}: {}", told[1]);
    }
}
