//! The queue in numbers.

use domain::clock::{Clock, SystemClock};
use domain::operator::QueueCounts;
use domain::queue::{Beat, MailRecord};
use domain::relay::PostedStanding;
use domain::store::StoreError;
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::shown::{Holds, Reveal, mail_json, pause_json, pause_told, relay_told, span};

/// Everything that is shown.
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// The mails.
    pub counts: QueueCounts,
    /// What keeps mails from being sent.
    pub holds: Holds,
    /// The workers.
    pub workers: Vec<Worker>,
}

/// A worker as it says of itself.
pub struct Worker {
    name: String,
    seen: i64,
    /// Whether it has said so within its lease.
    alive: bool,
    in_hand: u64,
}

impl Snapshot {
    /// Asks for everything.
    pub async fn take(settings: &Settings, database: &Database) -> Result<Self, StoreError> {
        let at = SystemClock.now();
        let mut view = database.store.view().await?;
        let counts = view.queue_counts(at).await?;
        drop(view);
        let lease = i64::try_from(settings.worker.lease.as_secs()).unwrap_or(i64::MAX);
        let beats = database.queue.beats().await?;
        let workers = beats
            .into_iter()
            .map(|beat| worker(beat, &counts, at, lease))
            .collect();
        Ok(Self {
            at,
            holds: Holds::now(settings, database).await?,
            counts,
            workers,
        })
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let mut states = json!({});
        for count in &self.counts.states {
            states[&count.state][&count.kind] = count.mails.into();
        }
        let ended = |ended: &[(String, u64)]| -> Value {
            let ended = ended
                .iter()
                .map(|(state, mails)| (state.clone(), json!(mails)));
            Value::Object(ended.collect())
        };
        json!({
            "at": self.at,
            "mails": states,
            "oldest_waiting": self.counts.oldest.as_ref().map(|mail| self.oldest_json(mail)),
            "ended_last_minute": ended(&self.counts.last_minute),
            "ended_last_hour": ended(&self.counts.last_hour),
            "suppressed_addresses": self.counts.suppressed,
            "pauses": self.holds.pauses.iter().map(pause_json).collect::<Value>(),
            "workers": self.workers.iter().map(Worker::json).collect::<Value>(),
            "relays": self.holds.relays.iter().map(relay_json).collect::<Value>(),
        })
    }

    fn oldest_json(&self, mail: &MailRecord) -> Value {
        let mut value = mail_json(mail, &self.holds, Reveal(false));
        value["age_seconds"] = json!(self.age(mail));
        value
    }

    fn age(&self, mail: &MailRecord) -> i64 {
        self.at.duration_since(mail.created).as_secs()
    }

    /// For people, without the mails by state and kind.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{:<18} {}", "waits longest", self.oldest())];
        for (what, ended) in [
            ("in the last minute", &self.counts.last_minute),
            ("in the last hour", &self.counts.last_hour),
        ] {
            lines.push(format!("{what:<18} {}", told_ended(ended)));
        }
        let suppressed = match self.counts.suppressed {
            0 => "no address".to_owned(),
            1 => "1 address".to_owned(),
            addresses => format!("{addresses} addresses"),
        };
        lines.push(format!("{:<18} {suppressed}", "suppressed"));
        let paused = self.holds.pauses.iter().map(pause_told);
        lines.push(listed("paused", "nothing", paused));
        let none = "none: nothing is sent until one is started";
        let workers = self.workers.iter().map(|worker| worker.told(self.at));
        lines.push(listed("workers", none, workers));
        let none = "none is known: no worker is alive";
        let relays = self
            .holds
            .relays
            .iter()
            .map(|posted| format!("{} (of {})", relay_told(&posted.standing), posted.worker));
        lines.push(listed("relays", none, relays));
        lines.join("\n")
    }

    fn oldest(&self) -> String {
        self.counts.oldest.as_ref().map_or_else(
            || "nothing waits".to_owned(),
            |mail| {
                format!(
                    "{} ({}, {}), asked for {} ago",
                    mail.id,
                    mail.state,
                    mail.kind,
                    span(self.age(mail))
                )
            },
        )
    }
}

/// Things under a heading, the first on its line.
fn listed(heading: &str, none: &str, things: impl Iterator<Item = String>) -> String {
    let things: Vec<String> = things.collect();
    if things.is_empty() {
        return format!("{heading:<18} {none}");
    }
    format!("{heading:<18} {}", things.join(&format!("\n{:<18} ", "")))
}

fn told_ended(ended: &[(String, u64)]) -> String {
    if ended.is_empty() {
        return "no mail ended".to_owned();
    }
    let ended: Vec<String> = ended
        .iter()
        .map(|(state, mails)| format!("{mails} {state}"))
        .collect();
    ended.join(", ")
}

fn worker(beat: Beat, counts: &QueueCounts, now: Timestamp, lease: i64) -> Worker {
    let hands = counts.in_hand.iter();
    let in_hand = hands
        .filter(|(worker, _)| *worker == beat.worker)
        .map(|(_, mails)| *mails)
        .sum();
    Worker {
        alive: now.as_second().saturating_sub(beat.seen) <= lease,
        name: beat.worker,
        seen: beat.seen,
        in_hand,
    }
}

impl Worker {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "seen_at": Timestamp::from_second(self.seen).ok(),
            "alive": self.alive,
            "in_hand": self.in_hand,
        })
    }

    fn told(&self, now: Timestamp) -> String {
        let silent = now.as_second().saturating_sub(self.seen).max(0);
        let state = if self.alive {
            "alive"
        } else {
            "SILENT, others take its mails over"
        };
        format!(
            "{}: {state}, seen {} ago, {} in hand",
            self.name,
            span(silent),
            self.in_hand
        )
    }
}

/// How a worker stands with a relay: `half_open` is a relay that answered a probe and is tried with one mail.
fn relay_json(posted: &PostedStanding) -> Value {
    let standing = &posted.standing;
    json!({
        "worker": posted.worker,
        "position": posted.position,
        "relay": standing.relay,
        "breaker": standing.state.as_str(),
        "since": standing.since,
        "reason": standing.reason,
        "next_probe_at": standing.next_probe_at,
        "updated_at": posted.updated,
    })
}
