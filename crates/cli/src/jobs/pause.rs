//! `jobs pause` and `jobs resume`.

use anyhow::ensure;
use domain::mail::MailKind;
use domain::store::Store;
use operator::jobs::pause::{self, LONGEST_REASON};

use super::kinds;
use crate::users::actor;

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
    let paused = pause::pause(args.kind, reason, actor(), store).await?;
    if args.json {
        say!("{:#}", paused.json());
    } else {
        say!("{}", paused.sentences().join("\n"));
    }
    Ok(0)
}

/// Ends pauses.
pub async fn resume(args: &ResumeArgs, store: &Store) -> anyhow::Result<u8> {
    let resumed = pause::resume(args.kind, actor(), store).await?;
    if args.json {
        say!("{:#}", resumed.json());
    } else {
        say!("{}", resumed.sentences().join("\n"));
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
