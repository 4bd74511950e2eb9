//! Pausing and resuming the queue.

use domain::audit::Actor;
use domain::clock::{Clock, SystemClock};
use domain::mail::MailKind;
use domain::operator::{Pause, PauseQueue, ReleaseHeld, ResumeQueue, Resumed};
use domain::store::Store;
use serde_json::{Value, json};

use super::format::pause_json;
use super::holds::{describe_pause, paused, paused_by};
use crate::Error;

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 500;

/// The result of pausing.
pub struct Paused {
    /// Whether it was not paused before. Otherwise only the reason is new.
    new: bool,
    /// The pause in force.
    pause: Pause,
}

/// Pauses the queue, or a kind of mail.
pub async fn pause(
    kind: Option<MailKind>,
    reason: String,
    actor: Actor,
    store: &Store,
) -> Result<Paused, Error> {
    let pause = PauseQueue {
        kind,
        reason,
        actor,
        now: SystemClock.now(),
    };
    let new = store.write(pause).await?;
    let kind = kind.map(MailKind::as_str);
    let mut pauses = store.reader().await?.pauses().await?.into_iter();
    match pauses.find(|pause| pause.kind.as_deref() == kind) {
        Some(pause) => Ok(Paused { new, pause }),
        None => Err(Error::refused("another operator has resumed it meanwhile")),
    }
}

impl Paused {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "new": self.new, "pause": pause_json(&self.pause) })
    }

    /// As text, a line for each sentence.
    #[must_use]
    pub fn text(&self) -> String {
        let known = if self.new {
            ""
        } else {
            "it was already paused; only the reason is new:\n"
        };
        let pause = describe_pause(&self.pause);
        format!("{known}{pause}\nmails in flight are still sent")
    }
}

/// The result of resuming.
pub struct Resumption {
    resumed: Resumed,
    /// How many mails the pauses had held.
    mails_held: u64,
}

/// Ends the pause of a kind, or every pause.
pub async fn resume(
    kind: Option<MailKind>,
    actor: Actor,
    store: &Store,
) -> Result<Resumption, Error> {
    let resume = ResumeQueue {
        kind,
        actor,
        now: SystemClock.now(),
    };
    let resumed = store.write(resume).await?;
    let mut mails_held = 0;
    loop {
        match store.write(ReleaseHeld).await? {
            0 => break,
            some => mails_held += some,
        }
    }
    Ok(Resumption {
        resumed,
        mails_held,
    })
}

impl Resumption {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let all = |pauses: &[Pause]| -> Value { pauses.iter().map(pause_json).collect() };
        json!({
            "ended": all(&self.resumed.ended),
            "left": all(&self.resumed.left),
            "mails_held": self.mails_held,
        })
    }

    /// As text, a line for each sentence.
    #[must_use]
    pub fn text(&self) -> String {
        let ended = self.resumed.ended.iter().map(|pause| {
            let (what, by) = (paused(pause), paused_by(pause));
            format!("resumed: {what} had been paused since {by}")
        });
        let left = self.resumed.left.iter();
        let left = left.map(|pause| format!("not resumed: {}", describe_pause(pause)));
        let mut lines: Vec<String> = ended.collect();
        if lines.is_empty() {
            lines.push("nothing to resume: it was not paused".to_owned());
        }
        lines.extend(left);
        lines.join("\n")
    }
}
