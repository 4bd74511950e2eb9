//! How mails, tries and pauses are shown, by every command that shows some.

use domain::clock::{Clock, SystemClock};
use domain::email;
use domain::id::MailId;
use domain::operator::Pause;
use domain::queue::{MailRecord, MailStory, TryRecord};
use domain::relay::{self, PostedStanding, RelayStanding, RelayState};
use domain::store::{StoreError, View};
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use crate::Error;

/// Whether addresses are shown as they are.
#[derive(Clone, Copy)]
pub struct Reveal(pub bool);

impl Reveal {
    /// An address, masked unless it may be shown. One that is forgotten says so.
    #[must_use]
    pub fn address(self, address: &str) -> String {
        match address {
            "" => "(forgotten)".to_owned(),
            address if self.0 => address.to_owned(),
            address => email::mask(address),
        }
    }
}

/// The mail that an id, or the beginning of one, means.
pub async fn find(view: &mut dyn View, id: &str) -> Result<MailStory, Error> {
    let mut stories = view.mail(id.trim()).await?;
    let several = stories.len() > 1;
    match stories.pop() {
        Some(story) if !several => Ok(story),
        Some(_) => {
            let said = format!("several mails' ids begin with `{id}`: give more of it");
            Err(Error::not_found(said))
        }
        None => {
            let said = format!("there is no mail whose id begins with `{id}`");
            Err(Error::not_found(said))
        }
    }
}

/// What keeps mails from being sent: pauses, no worker, and relays that are out of order.
pub struct Holds {
    /// What is paused.
    pub pauses: Vec<Pause>,
    /// How each worker stands with each relay.
    pub relays: Vec<PostedStanding>,
    /// Whether some worker has said lately that it lives.
    pub worker_alive: bool,
}

impl Holds {
    /// What holds now.
    pub async fn now(settings: &Settings, database: &Database) -> Result<Self, StoreError> {
        let now = SystemClock.now().as_second();
        let lease = i64::try_from(settings.worker.lease.as_secs()).unwrap_or(i64::MAX);
        let beats = database.queue.beats().await?;
        Ok(Self {
            pauses: database.store.view().await?.pauses().await?,
            relays: database.queue.relays().await?,
            worker_alive: (beats.iter()).any(|beat| now.saturating_sub(beat.seen) <= lease),
        })
    }

    /// The pause that keeps a mail from being sent.
    #[must_use]
    pub fn pause_of(&self, mail: &MailRecord) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.holds(mail))
    }

    /// Why a mail that waits is not claimed, however often it is due: a sentence without its full stop.
    #[must_use]
    pub fn why(&self, mail: &MailRecord) -> Option<String> {
        if let Some(pause) = self.pause_of(mail) {
            return Some(pause_told(pause));
        }
        let waits = matches!(mail.state.as_str(), "queued" | "waiting");
        let none = self.no_worker().or_else(|| self.no_relay());
        none.filter(|_| waits)
    }

    /// Everything that holds, a sentence each.
    pub fn all(&self) -> Vec<String> {
        let mut all: Vec<String> = self.pauses.iter().map(pause_told).collect();
        all.extend(self.no_worker().or_else(|| self.no_relay()));
        all
    }

    fn no_worker(&self) -> Option<String> {
        let none = "no worker is alive: start smart-notes-worker";
        (!self.worker_alive).then(|| none.to_owned())
    }

    /// That no worker has a relay that works.
    fn no_relay(&self) -> Option<String> {
        let out = relay::held_by(&self.relays)?;
        Some(format!("no relay works: {}", relay_told(&out.standing)))
    }
}

/// How a worker stands with a relay.
#[must_use]
pub fn relay_told(standing: &RelayStanding) -> String {
    let since = moment(standing.since);
    match standing.state {
        RelayState::Closed => format!("{} works since {since}", standing.relay),
        RelayState::Open | RelayState::HalfOpen => {
            let reason = standing
                .reason
                .as_deref()
                .unwrap_or("no reason is on record");
            let next = match (standing.state, standing.next_probe_at) {
                (RelayState::HalfOpen, _) => "; the next mail shows whether it works".to_owned(),
                (_, Some(at)) => format!("; it is probed next at {}", moment(at)),
                (_, None) => String::new(),
            };
            format!(
                "{} is out of order since {since}: {reason}{next}",
                standing.relay
            )
        }
    }
}

/// A pause, with what ends it.
#[must_use]
pub fn pause_told(pause: &Pause) -> String {
    format!(
        "{}. To end that: {}",
        pause_sentence(pause, "is"),
        resume_command(pause)
    )
}

/// A pause as JSON.
#[must_use]
pub fn pause_json(pause: &Pause) -> Value {
    json!({
        "kind": pause.kind,
        "reason": pause.reason,
        "since": pause.since,
        "by": pause.by,
    })
}

/// What is paused, since when, by whom and why: a sentence without its full stop.
#[must_use]
pub fn pause_sentence(pause: &Pause, is: &str) -> String {
    let what = pause.kind.as_deref().unwrap_or("the queue");
    let why = match pause.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    format!(
        "{what} {is} paused since {} by {}{why}",
        moment(pause.since),
        pause.by
    )
}

/// What ends a pause.
#[must_use]
pub fn resume_command(pause: &Pause) -> String {
    match &pause.kind {
        None => "smart-notes jobs resume".to_owned(),
        Some(kind) => format!("smart-notes jobs resume --kind {kind}"),
    }
}

/// A mail as JSON.
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
        "cut_offs": mail.cut_offs,
    })
}

/// A mail with its tries as JSON; those that were cut off after the final dot are named by their number.
#[must_use]
pub fn story_json(story: &MailStory, holds: &Holds, reveal: Reveal) -> Value {
    let mut value = mail_json(&story.mail, holds, reveal);
    value["tries"] = json!(story.tries);
    let cut_off: Vec<usize> = cut_off(&story.tries).map(|(number, _)| number).collect();
    value["cut_off_tries"] = json!(cut_off);
    value
}

/// The tries that may have been accepted though no answer was read, each with its number.
pub fn cut_off(tries: &[TryRecord]) -> impl Iterator<Item = (usize, &TryRecord)> {
    let numbered = tries.iter().enumerate().map(|(n, one)| (n + 1, one));
    numbered.filter(|(_, one)| one.outcome == "cut_off")
}

/// A time to the millisecond.
#[must_use]
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// A span in the largest unit that fits.
#[must_use]
pub fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Whether a text is, or may be the beginning of, this mail's id.
#[must_use]
pub fn names(detail: &str, mail: MailId) -> bool {
    detail.contains(&mail.to_string())
}
