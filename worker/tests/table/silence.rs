//! What can not be read as a reply, or only in part, at every stage.

use smart_notes_worker::smtp::{End, RelayAttempt};
use tokio::task::JoinSet;

use super::{AMBIGUOUS, LATER, REFUSED, REFUSES_US, Row, TROUBLE, scene, stage_of};
use crate::scripted::{Act, close, hasty, say};

const STAGES: [&str; 8] = [
    "GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "DOT",
];

type MakeAct = fn() -> Act;

/// No readable answer is trouble before the end of data, and uncertain after it.
fn check_no_answer(verb: &str, what: &str, relay_attempt: &RelayAttempt, row: Row) {
    let expected = if verb == "DOT" { AMBIGUOUS } else { TROUBLE };
    let attempt = &relay_attempt.attempt;
    assert_eq!(row, expected, "{what} at {verb}: {attempt}");
    assert_eq!(attempt.stage, stage_of(verb), "{what} at {verb}: {attempt}");
    assert!(matches!(attempt.end, End::Failed(_)), "{what} at {verb}");
}

#[tokio::test]
async fn no_readable_answer_at_any_stage() {
    let acts: [(&str, MakeAct); 6] = [
        ("close", close),
        ("reset", || Act::Reset),
        ("garbage", || say("HTTP/1.1 400 Bad Request")),
        ("not text", || {
            Act::SayAndClose(vec![0xff, 0, 0xfe, b'\r', b'\n'])
        }),
        ("half a reply", || {
            Act::SayAndClose(b"250-well\r\n25".to_vec())
        }),
        ("without end", || Act::SayWithoutEnd(b"x".to_vec())),
    ];
    for verb in STAGES {
        for (what, act) in acts {
            let (relay_attempt, row) = scene(verb, act()).await.row().await;

            check_no_answer(verb, what, &relay_attempt, row);
        }
    }
}

#[tokio::test]
async fn no_answer_at_all_at_any_stage() {
    let mut rows: JoinSet<_> = STAGES
        .into_iter()
        .map(|verb| async move {
            let mut scene = scene(verb, Act::Hang).await;
            scene.options.timeouts = hasty().timeouts;
            (verb, scene.row().await)
        })
        .collect();

    while let Some(ended) = rows.join_next().await {
        let (verb, (relay_attempt, row)) = ended.unwrap();

        check_no_answer(verb, "a hang", &relay_attempt, row);
    }
}

/// A letter that is not ASCII does not cost us the code in front of it.
#[tokio::test]
async fn a_refusal_that_is_not_utf8_counts_by_its_code_at_any_stage() {
    for (verb, code, expected) in [
        ("GREETING", "554", TROUBLE),
        ("EHLO", "554", TROUBLE),
        ("STARTTLS", "502", REFUSES_US),
        ("AUTH", "535", REFUSES_US),
        ("MAIL", "550", REFUSES_US),
        ("RCPT", "550", REFUSED),
        ("DATA", "451", LATER),
        ("DOT", "554", REFUSED),
    ] {
        let line = [code.as_bytes(), b" refus\xe9 \xff\r\n"].concat();

        let (relay_attempt, row) = scene(verb, Act::Say(line)).await.row().await;

        assert_eq!(row, expected, "{}", relay_attempt.attempt);
        assert_eq!(relay_attempt.attempt.text(), "refus? ?");
    }
}
