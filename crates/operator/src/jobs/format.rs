//! Mails, attempts and pauses as JSON, and addresses as they may be shown.

use domain::delivery::AttemptOutcome;
use domain::email;
use domain::operator::Pause;
use domain::queue::{AttemptRecord, MailRecord, MailStory};
use serde_json::{Value, json};

use super::holds::Holds;

/// Whether addresses are shown in full.
#[derive(Clone, Copy)]
pub struct Reveal(pub bool);

impl Reveal {
    /// An address, masked unless it may be shown in full. A deleted one is marked as such.
    #[must_use]
    pub fn address(self, address: &str) -> String {
        match address {
            "" => "(forgotten)".to_owned(),
            address if self.0 => address.to_owned(),
            address => email::mask(address),
        }
    }
}

/// A pause as JSON.
pub fn pause_json(pause: &Pause) -> Value {
    json!({
        "kind": pause.kind,
        "reason": pause.reason,
        "since": pause.since,
        "by": pause.by,
    })
}

/// A mail as JSON.
#[must_use]
pub fn mail_json(mail: &MailRecord, holds: &Holds, reveal: Reveal) -> Value {
    json!({
        "id": mail.id,
        "state": mail.state,
        "reason": mail.reason,
        "paused": holds.pause_of(mail).map(pause_json),
        "held": holds.why(mail),
        "kind": mail.kind,
        "to": reveal.address(&mail.to),
        "request_id": mail.request_id,
        "created_at": mail.created,
        "deadline_at": mail.deadline,
        "again_at": mail.again_at,
        "finished_at": mail.finished,
        "attempts": mail.tries,
        "uncertain": mail.uncertain_attempts,
    })
}

/// A mail with its attempts as JSON; those of uncertain outcome are named by their number.
pub fn story_json(story: &MailStory, holds: &Holds, reveal: Reveal) -> Value {
    let mut value = mail_json(&story.mail, holds, reveal);
    value["tries"] = json!(story.tries);
    let uncertain: Vec<usize> = uncertain(&story.tries).map(|(number, _)| number).collect();
    value["uncertain_tries"] = json!(uncertain);
    value
}

/// The attempts that the relay may have accepted although no answer was read, each with its number.
pub fn uncertain(attempts: &[AttemptRecord]) -> impl Iterator<Item = (usize, &AttemptRecord)> {
    let numbered = attempts.iter().enumerate().map(|(n, one)| (n + 1, one));
    numbered.filter(|(_, one)| one.outcome == AttemptOutcome::Uncertain)
}
