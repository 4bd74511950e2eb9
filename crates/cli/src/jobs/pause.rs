//! `jobs pause` and `jobs resume`.

use anyhow::ensure;
use domain::mail::MailKind;
use domain::store::Store;
use operator::jobs::{self, LONGEST_REASON};

use super::kinds;
use crate::output;
use crate::users::actor;

/// The arguments of `pause`.
#[derive(clap::Args)]
pub struct PauseArgs {
    /// Pause only mails of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<MailKind>,
    /// Why: shown wherever a waiting mail is explained
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `resume`.
#[derive(clap::Args)]
pub struct ResumeArgs {
    /// End only the pause of this kind, instead of every pause
    #[arg(long, value_parser = kinds())]
    kind: Option<MailKind>,
    /// Print JSON
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
    let paused = jobs::pause(args.kind, reason, actor(), store).await?;
    output::print(args.json, || paused.json(), || paused.text());
    Ok(0)
}

/// Ends pauses.
pub async fn resume(args: &ResumeArgs, store: &Store) -> anyhow::Result<u8> {
    let resumed = jobs::resume(args.kind, actor(), store).await?;
    output::print(args.json, || resumed.json(), || resumed.text());
    Ok(0)
}

/// A reason on one line, because it is shown within lines.
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
    fn a_reason_becomes_one_line() {
        let line = super::one_line("  the relay\r\nmoves\u{1b}[31m\ttoday ");

        assert_eq!(line, "the relay moves [31m today");
    }
}
