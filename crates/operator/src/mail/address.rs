//! What is to be said of an address apart from its mails: whose it is, what keeps mail from it, and why there may be
//! none.

use domain::audit::Recorded;
use domain::queue::MailStory;
use jiff::{SignedDuration, Timestamp};

use super::facts::{Budget, Facts};
use super::words::Told;

/// How many reached limits are told.
const LIMITS: usize = 3;

/// What holds for the address now.
pub fn stands(facts: &Facts, told: Told) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(user) = &facts.user {
        let disabled = if user.active { "" } else { ", and is disabled" };
        sentences.push(format!(
            "The address has an account: user {}, since {}{disabled}.",
            user.id,
            told.time(user.created)
        ));
    }
    sentences.extend(registrations(facts, told));
    if let Some(suppression) = &facts.suppression {
        sentences.push(format!(
            "The address is suppressed: {suppression}. Mails to it end as undeliverable without a try. \
             To lift that: smart-notes mail unsuppress ADDRESS"
        ));
    }
    // A mail that waits says so itself.
    let waits = |story: &MailStory| story.mail.finished.is_none();
    if !facts.stories.iter().any(waits) {
        let holds = facts.holds.all().into_iter();
        sentences.extend(holds.map(|hold| format!("Mind that {hold}")));
    }
    sentences.extend(facts.budgets.iter().filter_map(|one| spent(one, told)));
    sentences
}

/// Attempts to register it.
fn registrations(facts: &Facts, told: Told) -> Vec<String> {
    let told_of = facts.registrations.iter().map(|one| {
        let (created, expires) = (told.time(one.created), told.time(one.expires));
        if one.decoy {
            format!(
                "At {created} somebody registered it though it has an account: no code is mailed then, \
                 but its owner is told, once an hour at most."
            )
        } else if told.is_ahead(one.expires) {
            format!(
                "A registration of {created} waits for its code; without one it lapses at {expires}."
            )
        } else {
            format!(
                "A registration of {created} lapsed at {expires} without its code: its name is free again."
            )
        }
    });
    told_of.collect()
}

/// That no more codes are mailed to it for a while.
fn spent(budget: &Budget, told: Told) -> Option<String> {
    let over = budget.granted.len().checked_sub(budget.most as usize)?;
    let frees = *budget.granted.get(over)? + SignedDuration::from_secs(budget.seconds);
    Some(format!(
        "Its mailbox has had all of the {} codes that it may get in a {}: until {} requests for more are \
         answered 429, and nothing is mailed.",
        budget.most,
        budget.window,
        told.time(frees)
    ))
}

/// Requests for it that a limit refused, the newest first.
pub fn limited(facts: &Facts, told: Told) -> Vec<String> {
    let refused = facts.records.iter().filter(|one| one.event == "limited");
    refused
        .take(LIMITS)
        .map(|one| {
            format!(
                "At {} a limit ({}) refused a request for it (request {}): nothing was mailed for that one.",
                told.time(one.at),
                one.detail.as_deref().unwrap_or("unknown"),
                one.request_id
            )
        })
        .collect()
}

/// Why there may be no mail at all.
pub fn why_none(facts: &Facts, told: Told) -> Vec<String> {
    let mut sentences = vec!["No mail to this address is on record.".to_owned()];
    let registered: Vec<&Recorded> = events(facts, "registered").collect();
    match registered.first() {
        Some(newest) if facts.user.is_some() && since(newest.at, facts) => sentences.push(format!(
            "It was registered at {} (request {}) though it has an account: its owner is told of that at most once an hour.",
            told.time(newest.at),
            newest.request_id
        )),
        Some(newest) => sentences.push(format!(
            "It was registered at {} (request {}), but that mail is not kept any more: mails are removed {} days after their end.",
            told.time(newest.at),
            newest.request_id,
            facts.keep_mails_days
        )),
        None => sentences.push(format!(
            "Nobody has registered it within the {} days that the record of events is kept.",
            facts.keep_audit_days
        )),
    }
    if facts.user.is_none() {
        sentences.push(
            "It has no account: a re-send, a code for a new password or one to log in, asked for with it, is answered like any other and mails nothing."
                .to_owned(),
        );
    }
    sentences.push(format!(
        "Other reasons may be: another spelling (a dot, a +tag and another domain are other addresses), or a mail that ended more than {} days ago.",
        facts.keep_mails_days
    ));
    sentences
}

/// Whether something happened after the account was there.
fn since(at: Timestamp, facts: &Facts) -> bool {
    facts.user.as_ref().is_some_and(|user| at > user.created)
}

fn events<'a>(facts: &'a Facts, event: &'a str) -> impl Iterator<Item = &'a Recorded> {
    facts.records.iter().filter(move |one| one.event == event)
}

#[cfg(test)]
mod tests {
    use domain::operator::Registration;

    use crate::jobs::shown::Holds;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        start + SignedDuration::from_secs(seconds)
    }

    fn nothing() -> Facts {
        Facts {
            now: at(100),
            user: None,
            registrations: Vec::new(),
            suppression: None,
            holds: Holds {
                pauses: Vec::new(),
                relays: Vec::new(),
                worker_alive: true,
            },
            stories: Vec::new(),
            more: false,
            records: Vec::new(),
            budgets: Vec::new(),
            keep_mails_days: 30,
            keep_audit_days: 365,
        }
    }

    fn event(event: &str, seconds: i64, detail: &str) -> Recorded {
        Recorded {
            id: 1,
            at: at(seconds),
            event: event.to_owned(),
            request_id: "r-1".to_owned(),
            client: None,
            user_agent: None,
            detail: Some(detail.to_owned()),
        }
    }

    fn told() -> Told {
        Told::at(at(100))
    }

    #[test]
    fn an_address_that_nobody_used_is_told_what_that_means() {
        let text = why_none(&nothing(), told()).join(" ");

        assert!(
            text.contains("Nobody has registered it within the 365 days"),
            "{text}"
        );
        assert!(text.contains("mails nothing"), "{text}");
    }

    #[test]
    fn a_registration_whose_mail_is_gone_is_told_as_such() {
        let facts = Facts {
            records: vec![event("registered", 5, "")],
            ..nothing()
        };

        let text = why_none(&facts, told()).join(" ");

        let expected = "registered at 12:00:05 (request r-1), but that mail is not kept any more";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_budget_that_is_spent_says_until_when() {
        let budget = |granted: &[i64]| Budget {
            window: "minute",
            most: 2,
            granted: granted.iter().copied().map(at).collect(),
            seconds: 60,
        };

        let spent_twice = spent(&budget(&[50, 70]), told()).unwrap();
        let over = spent(&budget(&[50, 70, 80]), told()).unwrap();

        assert_eq!(spent(&budget(&[50]), told()), None);
        assert!(spent_twice.contains("until 12:01:50"), "{spent_twice}");
        assert!(over.contains("until 12:02:10"), "{over}");
    }

    #[test]
    fn registrations_are_told_by_what_became_of_them() {
        let facts = Facts {
            registrations: [(90, 1000, false), (10, 50, false), (5, 1000, true)]
                .map(|(created, expires, decoy)| Registration {
                    created: at(created),
                    expires: at(expires),
                    decoy,
                })
                .into(),
            ..nothing()
        };

        let [waits, lapsed, decoy] = registrations(&facts, told()).try_into().unwrap();

        assert!(waits.contains("waits for its code"), "{waits}");
        assert!(lapsed.contains("lapsed at 12:00:50"), "{lapsed}");
        assert!(decoy.contains("though it has an account"), "{decoy}");
    }

    #[test]
    fn what_a_limit_refused_is_told_with_its_request() {
        let facts = Facts {
            records: vec![
                event("limited", 9, "mails-minute"),
                event("registered", 8, ""),
            ],
            ..nothing()
        };

        let told = limited(&facts, told());

        assert_eq!(told.len(), 1);
        assert!(
            told[0].contains("12:00:09 a limit (mails-minute)"),
            "{}",
            told[0]
        );
    }
}
