//! What the relay took, held against what was to be sent.

use std::collections::HashMap;

use jiff::SignedDuration;

use super::Evidence;
use crate::database::{Mail, moment};

/// What may come between the last look at a challenge and the relay's taking the mail: a write to the disk and a
/// few packets, on a machine that has much else to do.
const FROM_MARK_TO_RELAY: SignedDuration = SignedDuration::from_secs(10);

/// A first try starts while the code lives, a later one only with so much of its life left: less than that
/// before its death a mail may be given up already.
const LAST_TRY: SignedDuration = SignedDuration::from_mins(1);

pub fn mails_are_accepted_once(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    for mail in &all.database.mails {
        let accepted = all.accepted(&mail.id);
        let marks = all.tries_of(&mail.id, "uncertain");
        // Every mark without an answer may stand for a mail that was taken.
        let (least, most) = match mail.state.as_str() {
            "delivered" => (1, 1 + marks),
            _ => (0, marks),
        };
        if accepted < least || accepted > most.min(2) {
            broken.push(format!(
                "{} is {} and was accepted {accepted} times, with {marks} marks",
                mail.id, mail.state
            ));
        }
    }
    broken
}

pub fn only_living_mails_are_sent(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    let mails: HashMap<_, _> = (all.database.mails.iter())
        .map(|mail| (mail.id.as_str(), mail))
        .collect();
    let deaths: HashMap<_, _> = (all.database.challenges.iter())
        .map(|one| (&one.id, moment(one.died_at)))
        .collect();
    for kept in &all.kept {
        let Some(mail) = mails.get(kept.id.as_str()) else {
            broken.push(format!(
                "a mail of the unknown id {:?} to {}",
                kept.id, kept.to
            ));
            continue;
        };
        if !mail.recipient.is_empty() && mail.recipient != kept.to {
            broken.push(format!(
                "{} is {}'s and went to {}",
                mail.id, mail.recipient, kept.to
            ));
        }
        let death = mail.challenge_id.as_ref().and_then(|id| deaths.get(id));
        if let Some(death) = death
            && !all.clock_moved
            && kept.at > *death + FROM_MARK_TO_RELAY
        {
            broken.push(format!(
                "{} was sent at {}, its code died at {death}",
                mail.id, kept.at
            ));
        }
    }
    broken
}

pub fn sick_relays_cost_no_attempts(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    for mail in &all.database.mails {
        let reached: usize = [
            "delivered",
            "recipient_refused",
            "recipient_later",
            "uncertain",
        ]
        .map(|outcome| all.tries_of(&mail.id, outcome))
        .iter()
        .sum();
        if usize::try_from(mail.tries).unwrap() > reached {
            broken.push(format!(
                "{}: {} tries were counted, {reached} got as far as its recipient",
                mail.id, mail.tries
            ));
        }
    }
    broken
}

/// Whether the address was refused for good, be it for another mail.
fn is_suppressed(all: &Evidence, mail: &Mail) -> bool {
    let mut alike = all.database.mails.iter();
    alike.any(|other| {
        other.recipient == mail.recipient && all.database.suppressions.contains(&other.id)
    })
}

pub fn undelivered_mails_have_reasons(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    let living: HashMap<_, _> = (all.database.challenges.iter())
        .map(|one| (&one.id, one))
        .collect();
    for mail in &all.database.mails {
        let challenge = mail.challenge_id.as_ref().and_then(|id| living.get(id));
        let sound = match mail.state.as_str() {
            "delivered" => true,
            "undeliverable" => {
                all.tries_of(&mail.id, "recipient_refused") > 0
                    || mail.cut_offs >= 2
                    || is_suppressed(all, mail)
            }
            "poison" => mail.crashes >= 3,
            "cancelled" => mail.recipient.is_empty(),
            "not_needed" => {
                all.clock_moved || challenge.is_none_or(|one| moment(one.died_at) <= all.at)
            }
            "expired" => {
                all.clock_moved
                    || challenge.is_none_or(|one| moment(one.died_at) <= all.at + LAST_TRY)
            }
            _ => false,
        };
        if !sound {
            broken.push(format!("{} is {}: {mail:?}", mail.id, mail.state));
        }
    }
    broken
}
