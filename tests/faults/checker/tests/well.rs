//! A small world in which all is well.

use std::time::Duration;

use jiff::Timestamp;

use crate::checker::Evidence;
use crate::database::{Challenge, Database, Event, Job, Mail, Registration, Try, User};
use crate::ledger::{Answered, Entry, Kept, Step};
use crate::vitals::Vitals;

const BEGINNING: i64 = 1_800_000_000;

/// So many seconds after the beginning.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGINNING + seconds).unwrap()
}

pub fn entry(step: Step, name: &str, status: u16, request: &str) -> Entry {
    Entry {
        step,
        email: format!("{name}@example.com"),
        sent: at(0),
        answer: Some(Answered {
            status,
            request_id: request.to_owned(),
            retry_after: String::new(),
        }),
    }
}

pub fn event(event: &str, request_id: &str) -> Event {
    Event {
        event: event.to_owned(),
        request_id: request_id.to_owned(),
    }
}

fn vitals(descriptors: usize, memory: u64, milliseconds: u64) -> Vitals {
    Vitals {
        descriptors,
        memory,
        latency: Duration::from_millis(milliseconds),
    }
}

/// Ada registered and verified, with a try too much; bob registered and his relay went away after his dot.
pub fn well() -> Evidence {
    let mail = |name: &str, cut_offs| Mail {
        id: format!("mail-{name}"),
        recipient: format!("{name}@example.com"),
        challenge_id: Some(format!("challenge-{name}")),
        request_id: format!("registers-{name}"),
        state: "delivered".to_owned(),
        tries: 1 + cut_offs,
        cut_offs,
        crashes: 0,
    };
    let challenge = |name: &str, dies| Challenge {
        id: format!("challenge-{name}"),
        registration_id: Some(format!("registration-{name}")),
        user_id: None,
        no_account: None,
        died_at: at(dies).as_microsecond(),
    };
    let registration = |name: &str| Registration {
        id: format!("registration-{name}"),
        email: format!("{name}@example.com"),
        decoy: false,
    };
    let job = |name: &str| Job {
        id: format!("mail-{name}"),
        status: "Done".to_owned(),
        locked: false,
    };
    let kept = |name: &str, second| Kept {
        id: format!("mail-{name}"),
        to: format!("{name}@example.com"),
        at: at(second),
    };
    let attempt = |name: &str, outcome: &str| Try {
        mail_id: format!("mail-{name}"),
        outcome: outcome.to_owned(),
        text: String::new(),
    };
    Evidence {
        requests: vec![
            entry(Step::Register, "ada", 201, "registers-ada"),
            entry(Step::Verify, "ada", 200, "verifies-ada"),
            entry(Step::Verify, "ada", 400, "verifies-ada-again"),
            entry(Step::Register, "bob", 201, "registers-bob"),
        ],
        kept: vec![kept("ada", 1), kept("bob", 2), kept("bob", 7)],
        database: Database {
            integrity: vec!["ok".to_owned()],
            broken_keys: 0,
            users: vec![User {
                email: "ada@example.com".to_owned(),
            }],
            registrations: vec![registration("ada"), registration("bob")],
            challenges: vec![challenge("ada", 3), challenge("bob", 600)],
            mails: vec![mail("ada", 0), mail("bob", 1)],
            jobs: vec![job("ada"), job("bob")],
            tries: vec![
                attempt("ada", "delivered"),
                attempt("bob", "uncertain"),
                attempt("bob", "delivered"),
            ],
            suppressions: Vec::new(),
            events: vec![
                event("registered", "registers-ada"),
                event("registered", "registers-bob"),
                event("verified", "verifies-ada"),
                event("code_refused", "verifies-ada-again"),
            ],
        },
        listed: ["ada", "bob"]
            .map(|name| (format!("mail-{name}"), "delivered".to_owned()))
            .into(),
        vitals: vec![(
            "the API".to_owned(),
            vitals(20, 30_000, 2),
            vitals(21, 31_000, 3),
        )],
        at: at(60),
        clock_moved: false,
        relay_only: false,
    }
}
