//! The queue in numbers.

use domain::clock::{Clock, SystemClock};
use domain::delivery::Stored;
use domain::mail::MailState;
use domain::operator::QueueCounts;
use domain::processes::Heartbeat;
use domain::queue::MailRecord;
use domain::relay::PostedRelayStatus;
use domain::store::StoreError;
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::format::{Reveal, mail_json, pause_json};
use super::holds::{Holds, describe_pause, describe_relay, lease_seconds};
use crate::phrases::span;

/// The queue at one moment.
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

/// A worker, by its heartbeats.
pub struct Worker {
    name: String,
    seen: i64,
    /// Whether its last heartbeat is within its lease.
    alive: bool,
    in_flight: u64,
}

impl Snapshot {
    /// Reads all of it.
    pub async fn take(settings: &Settings, database: &Database) -> Result<Self, StoreError> {
        let at = SystemClock.now();
        let mut reader = database.store.reader().await?;
        let counts = reader.queue_counts(at).await?;
        drop(reader);
        let lease = lease_seconds(settings);
        let beats = database.store.reader().await?.heartbeats().await?;
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
            states[count.state.as_str()][count.kind.as_str()] = count.mails.into();
        }
        let ended = |ended: &[(Stored<MailState>, u64)]| -> Value {
            let ended = ended
                .iter()
                .map(|(state, mails)| (state.to_string(), json!(mails)));
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

    /// As text, without the mails by state and kind.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{:<18} {}", "oldest waiting", self.oldest())];
        for (what, ended) in [
            ("in the last minute", &self.counts.last_minute),
            ("in the last hour", &self.counts.last_hour),
        ] {
            lines.push(format!("{what:<18} {}", describe_ended(ended)));
        }
        let suppressed = match self.counts.suppressed {
            0 => "no address".to_owned(),
            1 => "1 address".to_owned(),
            addresses => format!("{addresses} addresses"),
        };
        lines.push(format!("{:<18} {suppressed}", "suppressed"));
        let paused = self.holds.pauses.iter().map(describe_pause);
        lines.push(listed("paused", "nothing", paused));
        let none = "none: no mail is sent until one is started";
        let workers = self.workers.iter().map(|worker| worker.describe(self.at));
        lines.push(listed("workers", none, workers));
        let none = "unknown: no worker is alive";
        let relays = self
            .holds
            .relays
            .iter()
            .map(|posted| format!("{} ({})", describe_relay(&posted.status), posted.worker));
        lines.push(listed("relays", none, relays));
        lines.join("\n")
    }

    fn oldest(&self) -> String {
        self.counts.oldest.as_ref().map_or_else(
            || "no mail waits".to_owned(),
            |mail| {
                format!(
                    "{} ({}, {}), requested {} ago",
                    mail.id,
                    mail.state,
                    mail.kind,
                    span(self.age(mail))
                )
            },
        )
    }
}

/// Items under a heading, the first on its line.
fn listed(heading: &str, none: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return format!("{heading:<18} {none}");
    }
    format!("{heading:<18} {}", items.join(&format!("\n{:<18} ", "")))
}

fn describe_ended(ended: &[(Stored<MailState>, u64)]) -> String {
    if ended.is_empty() {
        return "no mail ended".to_owned();
    }
    let ended: Vec<String> = ended
        .iter()
        .map(|(state, mails)| format!("{mails} {state}"))
        .collect();
    ended.join(", ")
}

fn worker(beat: Heartbeat, counts: &QueueCounts, now: Timestamp, lease: i64) -> Worker {
    let in_flight = counts.in_flight.iter();
    let in_flight = in_flight
        .filter(|(worker, _)| *worker == beat.worker)
        .map(|(_, mails)| *mails)
        .sum();
    Worker {
        alive: now.as_second().saturating_sub(beat.seen) <= lease,
        name: beat.worker,
        seen: beat.seen,
        in_flight,
    }
}

impl Worker {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "seen_at": Timestamp::from_second(self.seen).ok(),
            "alive": self.alive,
            "in_hand": self.in_flight,
        })
    }

    fn describe(&self, now: Timestamp) -> String {
        let silent = now.as_second().saturating_sub(self.seen).max(0);
        let state = if self.alive {
            "alive"
        } else {
            "SILENT, other workers take over its mails"
        };
        format!(
            "{}: {state}, seen {} ago, {} in flight",
            self.name,
            span(silent),
            self.in_flight
        )
    }
}

/// The status of a relay as a worker reports it; `half_open`: it answered a probe and gets one mail as a trial.
fn relay_json(posted: &PostedRelayStatus) -> Value {
    let standing = &posted.status;
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
