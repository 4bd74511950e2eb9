//! The sentences for each kind of timeline.

use domain::id::MailId;
use domain::operator::Pause;
use jiff::{SignedDuration, Timestamp};

use super::*;

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T12:03:04Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn attempt(seconds: i64, outcome: &str, code: Option<u16>, text: &str) -> AttemptRecord {
    AttemptRecord {
        started: at(seconds),
        duration_ms: 0,
        relay: "mx:25".to_owned(),
        reused: false,
        stage: "rcpt".into(),
        code,
        enhanced: None,
        text: text.to_owned(),
        outcome: outcome.into(),
        again_at: None,
    }
}

fn story(state: &str, tries: Vec<AttemptRecord>) -> MailStory {
    let is_final = !matches!(state, "queued" | "waiting" | "sending");
    MailStory {
        mail: MailRecord {
            id: MailId::generate(),
            kind: "verify_email".into(),
            state: state.into(),
            reason: Some("its code has expired".to_owned()),
            to: "ada@example.com".to_owned(),
            to_key: "ada@example.com".to_owned().into(),
            request_id: "r-1".to_owned(),
            created: at(0),
            deadline: Some(at(600)),
            again_at: None,
            finished: is_final.then(|| at(50)),
            tries: 0,
            uncertain_attempts: 0,
        },
        tries,
    }
}

static NOTHING: Holds = Holds {
    pauses: Vec::new(),
    relays: Vec::new(),
    worker_alive: true,
};

fn context() -> Context<'static> {
    Context {
        format: TimeFormat::at(at(60)),
        holds: &NOTHING,
    }
}

#[test]
fn a_greylisted_and_delivered_mail_has_four_sentences() {
    let tries = vec![
        attempt(0, "recipient_later", Some(450), "4.2.0 greylisted"),
        attempt(5, "recipient_later", Some(450), "4.2.0 greylisted"),
        attempt(47, "delivered", Some(250), "2.0.0 queued"),
    ];
    let story = story("delivered", tries);

    let told = describe(&story, context());

    assert_eq!(
        told,
        [
            format!(
                "A verification code was requested at 12:03:04 (request r-1, mail {}).",
                story.mail.id
            ),
            "The relay mx:25 said \"try again later\" twice, at 12:03:04 and 12:03:09: `450 4.2.0 greylisted`."
                .to_owned(),
            "The relay mx:25 accepted it on the third attempt at 12:03:51, 47 s after the request: `250 2.0.0 queued`."
                .to_owned(),
            "Whether it reached the inbox can't be seen from here: later bounces are not shown."
                .to_owned(),
        ]
    );
}

#[test]
fn a_failing_relay_uses_up_no_attempt() {
    let mut down = attempt(0, "relay_trouble", None, "Connection refused");
    down.stage = "connect".into();
    let tries = vec![down, attempt(9, "delivered", Some(250), "2.0.0 queued")];

    let told = describe(&story("delivered", tries), context());

    assert_eq!(
        told[1..3],
        [
            "The relay mx:25 failed once, at 12:03:04, at the stage `connect`: `Connection refused`. This does not use up an attempt.",
            "The relay mx:25 accepted it at 12:03:13, 9 s after the request: `250 2.0.0 queued`.",
        ]
    );
}

#[test]
fn a_relay_that_hangs_at_a_recipient_is_not_said_to_fail() {
    let slow = "no answer yet, and its connection was needed for other mails";
    let mut tries = vec![
        attempt(0, "relay_trouble", Some(421), "4.3.2 busy"),
        attempt(6, "put_off", None, slow),
        attempt(12, "put_off", None, slow),
        attempt(20, "delivered", Some(250), "2.0.0 queued"),
    ];
    for one in &mut tries[..3] {
        one.stage = "rcpt".into();
    }

    let told = describe(&story("delivered", tries), context());

    assert_eq!(
        told[1..4],
        [
            "The relay mx:25 failed at this recipient once, at 12:03:04, at the stage `rcpt`: `421 4.3.2 busy`. This does not use up an attempt.",
            "The relay mx:25 did not answer in time twice, at 12:03:10 and 12:03:16, at the stage `rcpt`, and other mails needed the connection: the mail was postponed. This does not use up an attempt.",
            "The relay mx:25 accepted it at 12:03:24, 20 s after the request: `250 2.0.0 queued`.",
        ]
    );
}

#[test]
fn a_waiting_mail_says_for_what() {
    let mut waiting = story("waiting", Vec::new());
    let last = |story: &MailStory, context: Context<'_>| describe(story, context)[1].clone();

    assert!(last(&waiting, context()).contains("with a free slot"));
    waiting.mail.again_at = Some(at(75));
    assert_eq!(
        last(&waiting, context()),
        "The next attempt is due at 12:04:19."
    );
    waiting.mail.reason = Some("waits on the slow lane for a pause to end".to_owned());
    assert_eq!(
        describe(&waiting, context())[1..3],
        [
            "It waits on the slow lane for a pause to end.",
            "The next attempt is due at 12:04:19."
        ]
    );
    waiting.mail.again_at = None;
    waiting.mail.reason = Some("mx:25 was slow at rcpt".to_owned());
    waiting.tries = vec![attempt(0, "put_off", None, "no answer yet")];
    let lane = describe(&waiting, context())[2].clone();
    assert!(lane.contains("waits for a slot in the slow lane"), "{lane}");
    waiting.tries.clear();
    let no_worker = Holds {
        pauses: Vec::new(),
        relays: Vec::new(),
        worker_alive: false,
    };
    let alone = Context {
        holds: &no_worker,
        ..context()
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
    let paused = Context {
        holds: &holds,
        ..context()
    };
    let told = last(&waiting, paused);
    assert!(
        told.contains("verify_email has been paused since"),
        "{told}"
    );
    assert!(told.contains("new templates"), "{told}");
    assert!(
        told.ends_with("smart-notes jobs resume --kind verify_email"),
        "{told}"
    );
}

#[test]
fn a_mail_with_an_uncertain_attempt_may_arrive_twice() {
    let mut mail = story(
        "delivered",
        vec![
            attempt(0, "uncertain", None, "no answer within 60s"),
            attempt(5, "delivered", Some(250), "2.0.0 queued"),
        ],
    );
    mail.mail.uncertain_attempts = 1;

    let told = describe(&mail, context());

    assert_eq!(
        told[1],
        "The attempt at 12:03:04 ended without a clear answer after the end of the message: `no answer within 60s`."
    );
    assert_eq!(
        told.last().unwrap(),
        "In the first attempt, at 12:03:04, the relay may have accepted it although no answer was read: \
         a second copy may have arrived, with the same digits."
    );
}

#[test]
fn a_mail_that_may_have_arrived_is_not_said_to_be_undelivered_or_unsent() {
    for (state, end) in [
        (
            "expired",
            "It expired at 12:03:54: its code has expired. A new code must be requested.",
        ),
        (
            "not_needed",
            "It was no longer needed at 12:03:54 and was not sent again: its code has expired.",
        ),
    ] {
        let mut mail = story(state, vec![attempt(0, "uncertain", None, "no answer")]);
        mail.mail.uncertain_attempts = 1;

        let told = describe(&mail, context());

        assert_eq!(told[2], end);
        assert!(
            told[3].ends_with(": it may have arrived, with the same digits."),
            "{}",
            told[3]
        );
    }
}

#[test]
fn a_mail_without_a_code_has_no_sentence_about_codes() {
    let mut notice = story("expired", vec![attempt(0, "uncertain", None, "no answer")]);
    notice.mail.kind = "password_changed".into();
    notice.mail.deadline = None;
    notice.mail.reason = Some("its time was over".to_owned());
    notice.mail.uncertain_attempts = 1;

    let told = describe(&notice, context());

    assert_eq!(told[2], "It expired at 12:03:54: its time was over.");
    assert!(told[3].ends_with("it may have arrived."), "{}", told[3]);
}

#[test]
fn a_mail_whose_key_is_missing_waits_for_that_and_not_for_a_free_slot() {
    let mut waiting = story("waiting", Vec::new());
    let reason = "waits for a worker that has the secret key 7adafe44, which makes its code";
    waiting.mail.reason = Some(reason.to_owned());

    let told = describe(&waiting, context());

    assert_eq!(told[1], format!("It {reason}."));
}

#[test]
fn every_state_has_a_sentence_of_its_own() {
    for state in domain::mail::MailState::ALL {
        let told = describe(&story(state.as_str(), Vec::new()), context());

        assert!(told.len() >= 2, "{state:?}");
        assert!(!told[1].starts_with("It is "), "{state:?}: {}", told[1]);
    }
}
