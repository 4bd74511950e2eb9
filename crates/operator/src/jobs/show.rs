//! One mail's timeline.

use domain::audit::Recorded;
use domain::queue::{MailRecord, MailStory, TryRecord};
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::shown::{self, Holds, Reveal, cut_off, moment, names, story_json};
use crate::Error;

/// How many events about the address are looked through for those about the mail.
const RECORDS: u32 = 500;

/// One mail from its request to its end.
pub struct Timeline {
    story: MailStory,
    /// What operators did to it, the oldest first.
    records: Vec<Recorded>,
    holds: Holds,
}

impl Timeline {
    /// Reads that of the mail which an id, or the beginning of one, means.
    pub async fn read(id: &str, settings: &Settings, database: &Database) -> Result<Self, Error> {
        let mut view = database.store.view().await?;
        let story = shown::find(view.as_mut(), id).await?;
        let mut records = view.records_about(&story.mail.to_key, RECORDS).await?;
        drop(view);
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
        value["interventions"] = self.records.iter().map(intervention_json).collect();
        value
    }

    /// As text: a line for each thing that happened.
    #[must_use]
    pub fn text(&self, reveal: Reveal) -> String {
        told(&self.story, &self.records, &self.holds, reveal)
    }
}

/// Whether an operator did this to the mail.
fn is_about(record: &Recorded, mail: &MailRecord) -> bool {
    let detail = record.detail.as_deref().unwrap_or_default();
    record.event == "admin" && names(detail, mail.id)
}

fn intervention_json(record: &Recorded) -> Value {
    json!({ "at": record.at, "what": record.detail, "by": record.user_agent })
}

/// The story, a line for each thing that happened.
fn told(story: &MailStory, records: &[Recorded], holds: &Holds, reveal: Reveal) -> String {
    let mail = &story.mail;
    let asked = format!("asked for by request {}", mail.request_id);
    let mut lines = vec![(mail.created, asked)];
    lines.extend(story.tries.iter().map(|one| (one.started, sentence(one))));
    lines.extend(records.iter().map(|record| {
        let by = record.user_agent.as_deref().unwrap_or("an operator");
        let detail = record.detail.as_deref().unwrap_or_default();
        (record.at, format!("{by} {detail}"))
    }));
    lines.sort_by_key(|(at, _)| *at);
    let mut told = vec![format!(
        "mail {}: {} to {}",
        mail.id,
        mail.kind,
        reveal.address(&mail.to)
    )];
    let lines = lines.into_iter();
    told.extend(lines.map(|(at, line)| format!("  {}  {line}", moment(at))));
    told.push(format!("  {}", last_line(mail, holds.why(mail).as_deref())));
    told.extend(cut_off(&story.tries).map(|(number, one)| {
        let at = moment(one.started);
        format!(
            "  try {number}, of {at}, was cut off after the end of the message: the relay may have accepted it then"
        )
    }));
    told.join("\n")
}

/// How things stand: since when, or when there is more to tell.
fn last_line(mail: &MailRecord, held: Option<&str>) -> String {
    let when = mail
        .finished
        .map_or_else(|| format!("{:24}", "now"), moment);
    if let Some(held) = held {
        // Why it waits counts more than why it waited, and it will not be tried when it is due.
        let before = mail
            .reason
            .as_ref()
            .filter(|reason| !held.contains(*reason));
        let before = before.map_or_else(String::new, |reason| format!(". Before that: {reason}"));
        return format!("{when}  {}: {held}{before}", mail.state);
    }
    let reason = mail
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let next = match (mail.finished, mail.again_at) {
        (None, Some(at)) => format!(", the next try is at {}", moment(at)),
        _ => String::new(),
    };
    format!("{when}  {}{next}{reason}", mail.state)
}

/// What a try came to, in a line.
fn sentence(one: &TryRecord) -> String {
    let relay = if one.relay.is_empty() {
        "relay not on record"
    } else {
        &one.relay
    };
    let reused = if one.reused { ", open connection" } else { "" };
    let code = one.code.map_or_else(String::new, |code| format!("{code} "));
    let next = one
        .again_at
        .map_or_else(String::new, |at| format!("; next due {}", second(at)));
    format!(
        "{} at {} ({relay}{reused}, {} ms): {code}{}{next}",
        one.outcome, one.stage, one.duration_ms, one.text
    )
}

/// Next tries are due at whole seconds.
fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use domain::id::MailId;
    use domain::operator::Pause;
    use domain::relay::{PostedStanding, RelayStanding, RelayState};

    use super::*;

    fn none() -> Holds {
        Holds {
            pauses: Vec::new(),
            relays: Vec::new(),
            worker_alive: true,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        "2026-11-22T19:38:00Z".parse::<Timestamp>().unwrap()
            + jiff::SignedDuration::from_secs(seconds)
    }

    fn waiting() -> MailRecord {
        MailRecord {
            id: MailId::generate(),
            kind: "verify_email".to_owned(),
            state: "waiting".to_owned(),
            reason: Some("451 come back".to_owned()),
            to: "ada@example.com".to_owned(),
            to_key: "ada@example.com".to_owned().into(),
            request_id: "request".to_owned(),
            created: at(0),
            deadline: Some(at(600)),
            again_at: Some(at(30)),
            finished: None,
            tries: 1,
            cut_offs: 0,
        }
    }

    fn attempt(seconds: i64, outcome: &str) -> TryRecord {
        TryRecord {
            started: at(seconds),
            duration_ms: 7,
            relay: "mx:25".to_owned(),
            reused: false,
            stage: "dot".to_owned(),
            code: None,
            enhanced: None,
            text: "no answer within 60s".to_owned(),
            outcome: outcome.to_owned(),
            again_at: Some(at(seconds + 5)),
        }
    }

    #[test]
    fn the_last_line_says_when_the_next_try_is() {
        let line = last_line(&waiting(), None);

        assert_eq!(
            line,
            format!(
                "{:24}  waiting, the next try is at 2026-11-22 19:38:30.000Z: 451 come back",
                "now"
            )
        );
    }

    #[test]
    fn what_holds_a_mail_stands_before_what_its_last_try_came_to() {
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

        let line = last_line(&waiting(), why.as_deref());

        let expected = "the queue is paused since 2026-11-22 19:38:01.000Z by smart-notes/1 (ada): \
                        the relay moves. To end that: smart-notes jobs resume. Before that: 451 come back";
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn relays_that_are_out_of_order_hold_mails_that_wait_and_no_others() {
        let standing = RelayStanding {
            relay: "mx:25".to_owned(),
            state: RelayState::Open,
            since: at(2),
            reason: Some("Connection refused".to_owned()),
            next_probe_at: Some(at(4)),
        };
        let posted = PostedStanding {
            worker: "w".to_owned(),
            position: 0,
            standing,
            updated: at(3),
        };
        let holds = Holds {
            pauses: Vec::new(),
            relays: vec![posted],
            worker_alive: true,
        };
        let over = MailRecord {
            state: "delivered".to_owned(),
            ..waiting()
        };

        let why = holds.why(&waiting()).unwrap();

        assert_eq!(
            why,
            "no relay works: mx:25 is out of order since 2026-11-22 19:38:02.000Z: Connection refused; \
             it is probed next at 2026-11-22 19:38:04.000Z"
        );
        assert_eq!(holds.why(&over), None);
    }

    #[test]
    fn a_mail_that_may_be_there_twice_names_the_try_that_was_cut_off() {
        let story = MailStory {
            mail: MailRecord {
                state: "delivered".to_owned(),
                finished: Some(at(6)),
                cut_offs: 1,
                ..waiting()
            },
            tries: vec![attempt(0, "cut_off"), attempt(5, "delivered")],
        };

        let text = told(&story, &[], &none(), Reveal(false));
        let value = story_json(&story, &none(), Reveal(false));

        let expected = "  try 1, of 2026-11-22 19:38:00.000Z, was cut off after the end of the message: \
                        the relay may have accepted it then";
        assert_eq!(text.lines().last(), Some(expected));
        assert!(text.contains("; next due 2026-11-22 19:38:05Z"), "{text}");
        assert_eq!(value["cut_off_tries"], json!([1]));
    }

    #[test]
    fn what_operators_did_stands_where_it_happened() {
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

        let text = told(&story, &[record], &none(), Reveal(false));

        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[3].contains("smart-notes/1 (ada) retried mail"),
            "{text}"
        );
    }
}
