//! What clients were told, held against what is there.

use std::collections::{HashMap, HashSet};

use super::Evidence;
use crate::ledger::{Entry, Step};

pub fn registrations_are_whole(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    let registered = (all.requests.iter()).filter(|one| one.step == Step::Register);
    for (one, request) in registered.filter_map(|one| Some((one, one.granted()?))) {
        let email = &one.email;
        let mails = all.mails_of(request);
        let [mail] = mails.as_slice() else {
            broken.push(format!("{email}: {} mails for one 201", mails.len()));
            continue;
        };
        let jobs = all.database.jobs.iter().filter(|job| job.id == mail.id);
        if jobs.count() != 1 {
            broken.push(format!("{email}: not one job for mail {}", mail.id));
        }
        if all.may_have(Step::Delete, email) {
            continue;
        }
        let mut challenges = all.database.challenges.iter();
        let challenge =
            challenges.find(|challenge| Some(&challenge.id) == mail.challenge_id.as_ref());
        let Some(challenge) = challenge else {
            broken.push(format!("{email}: no challenge for mail {}", mail.id));
            continue;
        };
        let attempts = all.database.registrations.iter().filter(|attempt| {
            Some(&attempt.id) == challenge.registration_id.as_ref() && attempt.email == *email
        });
        let users = all
            .database
            .users
            .iter()
            .filter(|user| user.email == *email);
        if attempts.count() + users.count() == 0 {
            broken.push(format!("{email}: neither a registration nor a user"));
        }
    }
    broken
}

pub fn right_codes_succeed_once(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    let tried: HashSet<_> = (all.requests.iter())
        .filter(|one| one.step == Step::Verify)
        .map(|one| one.email.as_str())
        .collect();
    for email in tried {
        let succeeded = (all.requests(Step::Verify, email))
            .filter(|one| one.granted().is_some())
            .count();
        let refused = (all.requests(Step::Verify, email)).any(|one| one.status() == Some(400));
        let unsure = (all.requests(Step::Verify, email)).any(|one| one.answer.is_none());
        if succeeded > 1 {
            broken.push(format!("{email}: {succeeded} times right with one code"));
        }
        if succeeded == 0 && refused && !unsure && !all.clock_moved {
            broken.push(format!("{email}: the right code was refused"));
        }
        let users = (all.database.users.iter()).filter(|user| user.email == email);
        let users = users.count();
        let gone = all.may_have(Step::Delete, email);
        let least = usize::from(!gone && (succeeded > 0 || (refused && !all.clock_moved)));
        if users < least || users > 1 {
            broken.push(format!("{email}: {users} users"));
        }
    }
    broken
}

/// The security event or the mail that a granted request leaves behind, all in one transaction.
fn trace(step: Step) -> Option<&'static str> {
    match step {
        Step::Register => Some("registered"),
        Step::Verify => Some("verified"),
        Step::Login => Some("logged_in"),
        Step::Reset => Some("password_reset"),
        Step::Delete => Some("deleted"),
        Step::Resend | Step::RequestReset | Step::RequestDeletion => None,
    }
}

pub fn answers_say_what_happened(all: &Evidence) -> Vec<String> {
    let mut broken = Vec::new();
    let mut events: HashMap<&str, Vec<&str>> = HashMap::new();
    for event in &all.database.events {
        let of = events.entry(&event.request_id).or_default();
        of.push(&event.event);
    }
    for one in &all.requests {
        let Some(answer) = &one.answer else {
            continue;
        };
        let what = format!(
            "{:?} of {} (request {})",
            one.step, one.email, answer.request_id
        );
        let events = events.get(answer.request_id.as_str());
        let mails = all.mails_of(&answer.request_id).len();
        if mails > 1 {
            broken.push(format!("{what}: {mails} mails for one request"));
        }
        match answer.status {
            200..300 => {
                let left = match trace(one.step) {
                    Some(event) => events.is_some_and(|of| of.contains(&event)),
                    None => mails == 1,
                };
                if !left {
                    broken.push(format!("{what}: {}, but it is not there", answer.status));
                }
            }
            503 | 504 | 507 => {
                if all.relay_only {
                    broken.push(format!("{what}: {} for a sick relay", answer.status));
                }
                if answer.retry_after.parse::<u32>().is_err() {
                    broken.push(format!("{what}: {} without Retry-After", answer.status));
                }
                if mails > 0 || events.is_some() {
                    broken.push(format!("{what}: {}, but it is there", answer.status));
                }
            }
            // What is used up or gone can't be had again: the answer before may have been lost.
            400 | 401 if all.clock_moved || refusal_is_right(all, one) => {}
            other => broken.push(format!("{what}: {other}")),
        }
    }
    broken
}

/// Whether the code had been used already, by another request of this client.
fn refusal_is_right(all: &Evidence, one: &Entry) -> bool {
    matches!(one.step, Step::Verify | Step::Reset | Step::Delete)
        && all.may_have(one.step, &one.email)
}
