//! One mail's timeline.

use domain::audit::Recorded;
use domain::queue::{AttemptRecord, MailRecord, MailStory};
use domain::store::Reader;
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::format::{Reveal, story_json, uncertain};
use super::holds::Holds;
use crate::Error;
use crate::phrases::{to_millis, to_seconds};

/// How many events about the address are searched for those about the mail.
const RECORDS: u32 = 500;

/// The mail that an id, or the beginning of one, identifies.
pub async fn find(reader: &mut dyn Reader, id: &str) -> Result<MailStory, Error> {
    let mut stories = reader.mail(id.trim()).await?;
    if stories.len() > 1 {
        let message = format!("several mail ids begin with `{id}`: give more characters");
        return Err(Error::not_found(message));
    }
    let message = || Error::not_found(format!("no mail id begins with `{id}`"));
    stories.pop().ok_or_else(message)
}

/// One mail from its request to its end.
pub struct Timeline {
    story: MailStory,
    /// What operators did to it, the oldest first.
    records: Vec<Recorded>,
    holds: Holds,
}

impl Timeline {
    /// Reads the timeline of the mail that an id, or the beginning of one, identifies.
    pub async fn read(id: &str, settings: &Settings, database: &Database) -> Result<Self, Error> {
        let mut reader = database.store.reader().await?;
        let story = find(reader.as_mut(), id).await?;
        let mut records = reader.records_about(&story.mail.to_key, RECORDS).await?;
        drop(reader);
        records.retain(|record| is_about(record, &story.mail));
        records.reverse();
        Ok(Self {
            story,
            records,
            holds: Holds::now(settings, database).await?,
        })
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self, reveal: Reveal) -> Value {
        let mut value = story_json(&self.story, &self.holds, reveal);
        let records = self.records.iter().map(
            |record| json!({ "at": record.at, "what": record.detail, "by": record.user_agent }),
        );
        value["interventions"] = records.collect();
        value
    }

    /// As text: a line for each event.
    #[must_use]
    pub fn text(&self, reveal: Reveal) -> String {
        let mail = &self.story.mail;
        let to = reveal.address(&mail.to);
        let mut lines = vec![format!("mail {}: {} to {to}", mail.id, mail.kind)];
        let events = self.events().into_iter();
        lines.extend(events.map(|(at, event)| format!("  {}  {event}", to_millis(at))));
        let held = self.holds.why(mail);
        lines.push(format!("  {}", status(mail, held.as_deref())));
        lines.extend(uncertain(&self.story.tries).map(|(number, one)| {
            let at = to_millis(one.started);
            format!(
                "  attempt {number}, at {at}, ended without a clear answer after the end of the message: the relay may have accepted the mail"
            )
        }));
        lines.join("\n")
    }

    /// What happened to the mail, the earliest first.
    fn events(&self) -> Vec<(Timestamp, String)> {
        let mail = &self.story.mail;
        let requested = format!("requested by request {}", mail.request_id);
        let mut events = vec![(mail.created, requested)];
        let attempts = self.story.tries.iter();
        events.extend(attempts.map(|one| (one.started, describe(one))));
        events.extend(self.records.iter().map(|record| {
            let by = record.user_agent.as_deref().unwrap_or("an operator");
            let detail = record.detail.as_deref().unwrap_or_default();
            (record.at, format!("{by} {detail}"))
        }));
        events.sort_by_key(|(at, _)| *at);
        events
    }
}

/// Whether an operator did this to the mail.
fn is_about(record: &Recorded, mail: &MailRecord) -> bool {
    let detail = record.detail.as_deref().unwrap_or_default();
    record.event == "admin" && detail.contains(&mail.id.to_string())
}

/// The current status: since when, or when the next attempt is.
fn status(mail: &MailRecord, held: Option<&str>) -> String {
    let when = mail
        .finished
        .map_or_else(|| format!("{:24}", "now"), to_millis);
    let state = &mail.state;
    let reason = mail.reason.as_deref();
    if let Some(held) = held {
        // What holds the mail matters more than its last attempt, and no attempt is made when it is due.
        let before = reason.filter(|reason| !held.contains(reason));
        let before = before.map_or_else(String::new, |reason| format!(". Before that: {reason}"));
        return format!("{when}  {state}: {held}{before}");
    }
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let next = match (mail.finished, mail.again_at) {
        (None, Some(at)) => format!(", next attempt at {}", to_millis(at)),
        _ => String::new(),
    };
    format!("{when}  {state}{next}{reason}")
}

/// The result of an attempt, in a line.
fn describe(one: &AttemptRecord) -> String {
    let relay = match one.relay.as_str() {
        "" => "relay not recorded",
        relay => relay,
    };
    let reused = if one.reused { ", open connection" } else { "" };
    let code = one.code.map_or_else(String::new, |code| format!("{code} "));
    let next = one
        .again_at
        .map_or_else(String::new, |at| format!("; next due {}", to_seconds(at)));
    format!(
        "{} at {} ({relay}{reused}, {} ms): {code}{}{next}",
        one.outcome, one.stage, one.duration_ms, one.text
    )
}

#[cfg(test)]
mod tests {
    use domain::id::MailId;
    use domain::operator::Pause;
    use domain::relay::{PostedRelayStatus, RelayState, RelayStatus};

    use super::*;

    fn timeline(story: MailStory, records: Vec<Recorded>) -> Timeline {
        Timeline {
            story,
            records,
            holds: Holds {
                pauses: Vec::new(),
                relays: Vec::new(),
                worker_alive: true,
            },
        }
    }

    fn at(seconds: i64) -> Timestamp {
        "2026-11-22T19:38:00Z".parse::<Timestamp>().unwrap()
            + jiff::SignedDuration::from_secs(seconds)
    }

    fn waiting() -> MailRecord {
        MailRecord {
            id: MailId::generate(),
            kind: "verify_email".into(),
            state: "waiting".into(),
            reason: Some("451 come back".to_owned()),
            to: "ada@example.com".to_owned(),
            to_key: "ada@example.com".to_owned().into(),
            request_id: "request".to_owned(),
            created: at(0),
            deadline: Some(at(600)),
            again_at: Some(at(30)),
            finished: None,
            tries: 1,
            uncertain_attempts: 0,
        }
    }

    fn attempt(seconds: i64, outcome: &str) -> AttemptRecord {
        AttemptRecord {
            started: at(seconds),
            duration_ms: 7,
            relay: "mx:25".to_owned(),
            reused: false,
            stage: "end_of_data".into(),
            code: None,
            enhanced: None,
            text: "no answer within 60s".to_owned(),
            outcome: outcome.into(),
            again_at: Some(at(seconds + 5)),
        }
    }

    #[test]
    fn the_status_names_the_time_of_the_next_attempt() {
        let line = status(&waiting(), None);

        assert_eq!(
            line,
            format!(
                "{:24}  waiting, next attempt at 2026-11-22 19:38:30.000Z: 451 come back",
                "now"
            )
        );
    }

    #[test]
    fn what_holds_a_mail_is_shown_before_its_last_attempt() {
        let pause = Pause {
            kind: None,
            reason: "the relay moves".to_owned(),
            since: at(1),
            by: "smart-notes/1 (ada)".to_owned(),
        };
        let holds = Holds {
            pauses: vec![pause],
            relays: Vec::new(),
            worker_alive: true,
        };
        let why = holds.why(&waiting());

        let line = status(&waiting(), why.as_deref());

        let expected = "the queue has been paused since 2026-11-22 19:38:01.000Z by smart-notes/1 (ada): \
                        the relay moves. To resume: smart-notes jobs resume. Before that: 451 come back";
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn failing_relays_hold_waiting_mails_and_no_others() {
        let standing = RelayStatus {
            relay: "mx:25".to_owned(),
            state: RelayState::Open,
            since: at(2),
            reason: Some("Connection refused".to_owned()),
            next_probe_at: Some(at(4)),
        };
        let posted = PostedRelayStatus {
            worker: "w".to_owned(),
            position: 0,
            status: standing,
            updated: at(3),
        };
        let holds = Holds {
            pauses: Vec::new(),
            relays: vec![posted],
            worker_alive: true,
        };
        let finished = MailRecord {
            state: "delivered".into(),
            ..waiting()
        };

        let why = holds.why(&waiting()).unwrap();

        assert_eq!(
            why,
            "no relay works: mx:25 has been failing since 2026-11-22 19:38:02.000Z: Connection refused; \
             next probe at 2026-11-22 19:38:04.000Z"
        );
        assert_eq!(holds.why(&finished), None);
    }

    #[test]
    fn a_mail_that_may_have_arrived_twice_names_the_uncertain_attempt() {
        let story = MailStory {
            mail: MailRecord {
                state: "delivered".into(),
                finished: Some(at(6)),
                uncertain_attempts: 1,
                ..waiting()
            },
            tries: vec![attempt(0, "uncertain"), attempt(5, "delivered")],
        };

        let timeline = timeline(story, Vec::new());
        let text = timeline.text(Reveal(false));
        let value = timeline.json(Reveal(false));

        let expected = "  attempt 1, at 2026-11-22 19:38:00.000Z, ended without a clear answer after the end of \
                        the message: the relay may have accepted the mail";
        assert_eq!(text.lines().last(), Some(expected));
        assert!(text.contains("; next due 2026-11-22 19:38:05Z"), "{text}");
        assert_eq!(value["uncertain_tries"], json!([1]));
    }

    #[test]
    fn what_operators_did_is_shown_at_its_time() {
        let story = MailStory {
            mail: waiting(),
            tries: vec![
                attempt(0, "recipient_later"),
                attempt(20, "recipient_later"),
            ],
        };
        let record = Recorded {
            id: 1,
            at: at(10),
            event: "admin".to_owned(),
            request_id: "one".to_owned(),
            client: None,
            user_agent: Some("smart-notes/1 (ada)".to_owned()),
            detail: Some(format!("retried mail {}, which was waiting", story.mail.id)),
        };
        assert!(is_about(&record, &story.mail) && !is_about(&record, &waiting()));

        let text = timeline(story, vec![record]).text(Reveal(false));

        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[3].contains("smart-notes/1 (ada) retried mail"),
            "{text}"
        );
    }
}
