//! The status of an address apart from its mails: whose it is, what keeps mail from it, and why there may be no mails.

use domain::audit::Recorded;
use domain::queue::MailStory;
use jiff::SignedDuration;

use super::lookup::{AddressLookup, Budget};
use crate::phrases::TimeFormat;

/// How many requests that a limit refused are listed.
const LIMITED: usize = 3;

/// The current status of the address.
pub fn status(lookup: &AddressLookup, format: TimeFormat) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(user) = &lookup.user {
        let disabled = if user.active { "" } else { ", disabled" };
        sentences.push(format!(
            "The address belongs to user {}, created at {}{disabled}.",
            user.id,
            format.time(user.created)
        ));
    }
    sentences.extend(registrations(lookup, format));
    if let Some(suppression) = &lookup.suppression {
        sentences.push(format!(
            "The address is suppressed: {suppression}. Mails to it end as undeliverable without an attempt. \
             To send to it again: smart-notes mail unsuppress ADDRESS"
        ));
    }
    // A mail that waits names its own reason.
    let waits = |story: &MailStory| story.mail.finished.is_none();
    if !lookup.stories.iter().any(waits) {
        let holds = lookup.holds.all().into_iter();
        sentences.extend(holds.map(|hold| format!("Note: {hold}")));
    }
    sentences.extend(lookup.budgets.iter().filter_map(|one| spent(one, format)));
    sentences
}

fn registrations(lookup: &AddressLookup, format: TimeFormat) -> Vec<String> {
    let sentences = lookup.registrations.iter().map(|one| {
        let (created, expires) = (format.time(one.created), format.time(one.expires));
        if one.decoy {
            format!(
                "At {created} it was registered although it has an account: no code is mailed; \
                 its owner gets a notice, at most once an hour."
            )
        } else if format.is_ahead(one.expires) {
            format!("A registration of {created} waits for its code and lapses at {expires}.")
        } else {
            format!(
                "A registration of {created} lapsed at {expires} without its code: its username is free again."
            )
        }
    });
    sentences.collect()
}

/// That no more codes are mailed to it for a while.
fn spent(budget: &Budget, format: TimeFormat) -> Option<String> {
    let over = budget.sent.len().checked_sub(budget.most as usize)?;
    let frees = *budget.sent.get(over)? + SignedDuration::from_secs(budget.seconds);
    Some(format!(
        "Its mailbox was sent {} codes, the limit for a {}: until {} further requests are answered 429 and no \
         mail is sent.",
        budget.most,
        budget.window,
        format.time(frees)
    ))
}

/// Requests that a limit refused, the newest first.
pub fn limited(lookup: &AddressLookup, format: TimeFormat) -> Vec<String> {
    let refused = events(lookup, "limited").take(LIMITED).map(|one| {
        format!(
            "At {} the limit {} refused a request for it (request {}): no mail was sent.",
            format.time(one.at),
            one.detail.as_deref().unwrap_or("(unknown)"),
            one.request_id
        )
    });
    refused.collect()
}

/// Why there may be no mail at all.
pub fn why_none(lookup: &AddressLookup, format: TimeFormat) -> Vec<String> {
    let mut sentences = vec!["No mail to this address is on record.".to_owned()];
    sentences.push(match events(lookup, "registered").next() {
        Some(newest) => {
            let (time, request) = (format.time(newest.at), &newest.request_id);
            let user = lookup.user.as_ref();
            if user.is_some_and(|user| newest.at > user.created) {
                format!(
                    "It was registered at {time} (request {request}) although it has an account: its owner gets \
                     a notice at most once an hour."
                )
            } else {
                format!(
                    "It was registered at {time} (request {request}), but that mail is no longer kept: mails are \
                     deleted {} days after they end.",
                    lookup.keep_mails_days
                )
            }
        }
        None => format!(
            "No registration of it is on record; security events are kept for {} days.",
            lookup.keep_audit_days
        ),
    });
    if lookup.user.is_none() {
        sentences.push(
            "It has no account: requests to resend a code, to reset a password or to log in by code are answered \
             as usual, and no mail is sent."
                .to_owned(),
        );
    }
    sentences.push(format!(
        "Other possible reasons: a different spelling (an added dot, a +tag or another domain make a different \
         address), or a mail that ended more than {} days ago.",
        lookup.keep_mails_days
    ));
    sentences
}

fn events<'a>(lookup: &'a AddressLookup, event: &'a str) -> impl Iterator<Item = &'a Recorded> {
    lookup.records.iter().filter(move |one| one.event == event)
}

#[cfg(test)]
mod tests {
    use domain::operator::Registration;

    use jiff::Timestamp;

    use crate::jobs::Holds;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        start + SignedDuration::from_secs(seconds)
    }

    fn nothing() -> AddressLookup {
        AddressLookup {
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

    fn format() -> TimeFormat {
        TimeFormat::at(at(100))
    }

    #[test]
    fn an_unused_address_says_what_that_means() {
        let text = why_none(&nothing(), format()).join(" ");

        assert!(text.contains("events are kept for 365 days"), "{text}");
        assert!(text.contains("no mail is sent"), "{text}");
    }

    #[test]
    fn a_registration_whose_mail_was_deleted_says_so() {
        let lookup = AddressLookup {
            records: vec![event("registered", 5, "")],
            ..nothing()
        };

        let text = why_none(&lookup, format()).join(" ");

        let expected = "registered at 12:00:05 (request r-1), but that mail is no longer kept";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_budget_that_is_spent_says_until_when() {
        let budget = |sent: &[i64]| Budget {
            window: "minute",
            most: 2,
            sent: sent.iter().copied().map(at).collect(),
            seconds: 60,
        };

        let spent_twice = spent(&budget(&[50, 70]), format()).unwrap();
        let over = spent(&budget(&[50, 70, 80]), format()).unwrap();

        assert_eq!(spent(&budget(&[50]), format()), None);
        assert!(spent_twice.contains("until 12:01:50"), "{spent_twice}");
        assert!(over.contains("until 12:02:10"), "{over}");
    }

    #[test]
    fn registrations_say_what_became_of_them() {
        let lookup = AddressLookup {
            registrations: [(90, 1000, false), (10, 50, false), (5, 1000, true)]
                .map(|(created, expires, decoy)| Registration {
                    created: at(created),
                    expires: at(expires),
                    decoy,
                })
                .into(),
            ..nothing()
        };

        let [waits, lapsed, decoy] = registrations(&lookup, format()).try_into().unwrap();

        assert!(waits.contains("waits for its code"), "{waits}");
        assert!(lapsed.contains("lapsed at 12:00:50"), "{lapsed}");
        assert!(decoy.contains("although it has an account"), "{decoy}");
    }

    #[test]
    fn what_a_limit_refused_is_listed_with_its_request() {
        let lookup = AddressLookup {
            records: vec![
                event("limited", 9, "mails-minute"),
                event("registered", 8, ""),
            ],
            ..nothing()
        };

        let refused = limited(&lookup, format());

        assert_eq!(refused.len(), 1);
        assert!(
            refused[0].contains("12:00:09 the limit mails-minute refused"),
            "{}",
            refused[0]
        );
    }
}
