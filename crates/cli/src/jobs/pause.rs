//! `jobs pause` and `jobs resume`.

use anyhow::ensure;
use domain::clock::{Clock, SystemClock};
use domain::mail::MailKind;
use domain::operator::{Pause, PauseQueue, ReleaseHeld, ResumeQueue};
use domain::store::Store;
use serde_json::{Value, json};

use super::kinds;
use super::shown::{pause_json, pause_sentence, pause_told};
use crate::users::operator;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// What `pause` is told.
#[derive(clap::Args)]
pub struct PauseArgs {
    /// Only mails of this kind; all others go on
    #[arg(long, value_parser = kinds())]
    kind: Option<MailKind>,
    /// Why: whoever asks why a mail waits is told
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What `resume` is told.
#[derive(clap::Args)]
pub struct ResumeArgs {
    /// End the pause of this kind only; otherwise every pause ends
    #[arg(long, value_parser = kinds())]
    kind: Option<MailKind>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Pauses the queue, or a kind of mail.
pub async fn pause(args: &PauseArgs, store: &Store) -> anyhow::Result<u8> {
    let reason = one_line(&args.reason);
    ensure!(
        reason.chars().count() <= LONGEST_REASON,
        "a reason has at most {LONGEST_REASON} characters"
    );
    let pause = PauseQueue {
        kind: args.kind,
        reason,
        actor: operator(),
        now: SystemClock.now(),
    };
    let new = store.write(pause).await?;
    let kind = args.kind.map(MailKind::as_str);
    let all = store.view().await?.pauses().await?;
    let Some(paused) = all.iter().find(|pause| pause.kind.as_deref() == kind) else {
        anyhow::bail!("somebody has resumed it meanwhile");
    };
    if args.json {
        say!("{:#}", json!({ "new": new, "pause": pause_json(paused) }));
        return Ok(0);
    }
    if !new {
        say!("it was paused already; what is new is the reason:");
    }
    say!("{}", pause_told(paused));
    say!("mails that workers have in hand still go out");
    Ok(0)
}

/// Ends pauses.
pub async fn resume(args: &ResumeArgs, store: &Store) -> anyhow::Result<u8> {
    let resume = ResumeQueue {
        kind: args.kind,
        actor: operator(),
        now: SystemClock.now(),
    };
    let resumed = store.write(resume).await?;
    let mut back = 0;
    loop {
        let some = store.write(ReleaseHeld).await?;
        if some == 0 {
            break;
        }
        back += some;
    }
    if args.json {
        let all = |pauses: &[Pause]| -> Value { pauses.iter().map(pause_json).collect() };
        let (ended, left) = (all(&resumed.ended), all(&resumed.left));
        say!(
            "{:#}",
            json!({ "ended": ended, "left": left, "mails_held": back })
        );
        return Ok(0);
    }
    if resumed.ended.is_empty() {
        say!("that was not paused");
    }
    for pause in &resumed.ended {
        say!("resumed: {}", pause_sentence(pause, "was"));
    }
    for pause in &resumed.left {
        say!("still, {}", pause_told(pause));
    }
    Ok(0)
}

/// A reason on one line, since it is shown within lines.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_reason_is_one_line_whatever_was_typed() {
        let line = super::one_line("  the relay\r\nmoves\u{1b}[31m\ttoday ");

        assert_eq!(line, "the relay moves [31m today");
    }
}
