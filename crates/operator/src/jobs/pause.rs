//! Pausing and resuming the queue.

use domain::audit::Actor;
use domain::clock::{Clock, SystemClock};
use domain::mail::MailKind;
use domain::operator::{Pause, PauseQueue, ReleaseHeld, ResumeQueue};
use domain::store::Store;
use serde_json::{Value, json};

use super::shown::{pause_json, pause_sentence, pause_told};
use crate::Error;

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 500;

/// What came of a pause.
pub struct Paused {
    /// Whether it was not paused before. If it was, only the reason is new.
    pub new: bool,
    /// The pause that is in force.
    pub pause: Pause,
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
    let mut all = store.view().await?.pauses().await?.into_iter();
    let Some(pause) = all.find(|pause| pause.kind.as_deref() == kind) else {
        return Err(Error::refused("somebody has resumed it meanwhile"));
    };
    Ok(Paused { new, pause })
}

impl Paused {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "new": self.new, "pause": pause_json(&self.pause) })
    }

    /// In sentences.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let known = "it was paused already; what is new is the reason:";
        let mut sentences = Vec::new();
        sentences.extend((!self.new).then(|| known.to_owned()));
        sentences.push(pause_told(&self.pause));
        sentences.push("mails that workers have in hand still go out".to_owned());
        sentences
    }
}

/// What came of resuming.
pub struct Resumed {
    /// The pauses that have ended.
    pub ended: Vec<Pause>,
    /// What is paused still.
    pub left: Vec<Pause>,
    /// How many mails the pauses had held.
    pub mails_held: u64,
}

/// Ends the pause of a kind, or every pause.
pub async fn resume(kind: Option<MailKind>, actor: Actor, store: &Store) -> Result<Resumed, Error> {
    let resume = ResumeQueue {
        kind,
        actor,
        now: SystemClock.now(),
    };
    let resumed = store.write(resume).await?;
    let mut mails_held = 0;
    loop {
        let some = store.write(ReleaseHeld).await?;
        if some == 0 {
            break;
        }
        mails_held += some;
    }
    Ok(Resumed {
        ended: resumed.ended,
        left: resumed.left,
        mails_held,
    })
}

impl Resumed {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let all = |pauses: &[Pause]| -> Value { pauses.iter().map(pause_json).collect() };
        json!({
            "ended": all(&self.ended),
            "left": all(&self.left),
            "mails_held": self.mails_held,
        })
    }

    /// In sentences.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        if self.ended.is_empty() {
            let mut sentences = vec!["that was not paused".to_owned()];
            sentences.extend(self.still());
            return sentences;
        }
        let ended = self.ended.iter();
        let ended = ended.map(|pause| format!("resumed: {}", pause_sentence(pause, "was")));
        ended.chain(self.still()).collect()
    }

    fn still(&self) -> impl Iterator<Item = String> {
        self.left
            .iter()
            .map(|pause| format!("still, {}", pause_told(pause)))
    }
}
