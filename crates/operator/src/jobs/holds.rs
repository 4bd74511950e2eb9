//! What keeps mails from being sent: pauses, no running worker, relays that fail.

use domain::clock::{Clock, SystemClock};
use domain::operator::{Pause, waits};
use domain::queue::MailRecord;
use domain::relay::{self, PostedRelayStatus, RelayState, RelayStatus};
use domain::store::StoreError;
use runtime::database::Database;
use runtime::settings::Settings;

use crate::phrases::to_millis;

/// Everything that keeps mails from being sent at the moment.
pub struct Holds {
    /// What is paused.
    pub pauses: Vec<Pause>,
    /// The status of each relay, as each worker reports it.
    pub relays: Vec<PostedRelayStatus>,
    /// Whether a worker sent a heartbeat within its lease.
    pub worker_alive: bool,
}

impl Holds {
    /// Reads what holds now.
    pub async fn now(settings: &Settings, database: &Database) -> Result<Self, StoreError> {
        let now = SystemClock.now().as_second();
        let lease = lease_seconds(settings);
        let beats = database.store.reader().await?.heartbeats().await?;
        Ok(Self {
            pauses: database.store.reader().await?.pauses().await?,
            relays: database.store.reader().await?.posted_relays().await?,
            worker_alive: (beats.iter()).any(|beat| now.saturating_sub(beat.seen) <= lease),
        })
    }

    /// The pause that keeps a mail from being sent.
    #[must_use]
    pub fn pause_of(&self, mail: &MailRecord) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.holds(mail))
    }

    /// Why a mail that waits is not claimed although it is due: a clause without a full stop.
    #[must_use]
    pub fn why(&self, mail: &MailRecord) -> Option<String> {
        if let Some(pause) = self.pause_of(mail) {
            return Some(describe_pause(pause));
        }
        self.outage().filter(|_| waits(mail))
    }

    /// Everything that holds, a clause each.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        let pauses = self.pauses.iter().map(describe_pause);
        pauses.chain(self.outage()).collect()
    }

    /// That no worker is alive, or that no worker has a relay that works.
    fn outage(&self) -> Option<String> {
        if !self.worker_alive {
            return Some("no worker is alive: start smart-notes-worker".to_owned());
        }
        let failing = relay::held_by(&self.relays)?;
        let relay = describe_relay(&failing.status);
        Some(format!("no relay works: {relay}"))
    }
}

/// How long a worker may be silent, in seconds.
pub fn lease_seconds(settings: &Settings) -> i64 {
    i64::try_from(settings.worker.lease.as_secs()).unwrap_or(i64::MAX)
}

/// The status of a relay.
pub fn describe_relay(standing: &RelayStatus) -> String {
    let (relay, since) = (&standing.relay, to_millis(standing.since));
    let next = match (standing.state, standing.next_probe_at) {
        (RelayState::Closed, _) => return format!("{relay} has worked since {since}"),
        (RelayState::HalfOpen, _) => "; the next mail is a trial".to_owned(),
        (RelayState::Open, Some(at)) => format!("; next probe at {}", to_millis(at)),
        (RelayState::Open, None) => String::new(),
    };
    let reason = standing.reason.as_deref().unwrap_or("no reason recorded");
    format!("{relay} has been failing since {since}: {reason}{next}")
}

/// A pause, with the command that ends it.
pub fn describe_pause(pause: &Pause) -> String {
    let (what, by) = (paused(pause), paused_by(pause));
    let command = resume_command(pause);
    format!("{what} has been paused since {by}. To resume: {command}")
}

/// What is paused.
pub fn paused(pause: &Pause) -> &str {
    pause.kind.as_deref().unwrap_or("the queue")
}

/// Since when, by whom and why.
pub fn paused_by(pause: &Pause) -> String {
    let by = format!("{} by {}", to_millis(pause.since), pause.by);
    match pause.reason.as_str() {
        "" => by,
        reason => format!("{by}: {reason}"),
    }
}

/// The command that ends a pause.
pub fn resume_command(pause: &Pause) -> String {
    match &pause.kind {
        None => "smart-notes jobs resume".to_owned(),
        Some(kind) => format!("smart-notes jobs resume --kind {kind}"),
    }
}
