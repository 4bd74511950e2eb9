//! `jobs watch`: the numbers and the newest mails, refreshed on every change.

use std::io::{self, IsTerminal};
use std::time::Duration;

use domain::queue::{MailFilter, MailRecord, Watch};
use operator::jobs::{Reveal, Snapshot, mail_json};
use operator::to_millis;
use runtime::database::Database;
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;
use serde_json::Value;
use tokio::time::sleep;

use super::list::mail_table;
use super::stats;
use crate::output;

/// The arguments of `watch`.
#[derive(clap::Args)]
pub struct Args {
    /// At most this many of the newest mails
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    limit: u32,
    /// The shortest time between two refreshes, in seconds
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Show addresses in full
    #[arg(long)]
    reveal: bool,
    /// Print JSON: one line for each change
    #[arg(long)]
    json: bool,
}

/// Refreshes until a signal.
pub async fn run(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let end = Shutdown::on_signals()?;
    let mut changes = database.store.watch().await?;
    let redraw = io::stdout().is_terminal() && !args.json;
    let mut last = None;
    loop {
        let (snapshot, mails) = read(args, settings, database).await?;
        let now = lasting(args, &snapshot, &mails);
        if redraw || last.as_ref() != Some(&now) {
            let text = text(args, &snapshot, &mails);
            // On a terminal, replace what was shown (ECMA-48: CUP, ED).
            if redraw {
                say!("\x1b[H\x1b[2J{text}\n\nPress Ctrl-C to stop.");
            } else {
                say!("{text}");
            }
            if !output::is_read() {
                return Ok(0);
            }
        }
        last = Some(now);
        tokio::select! {
            () = end.cancelled() => return Ok(0),
            () = pause(args, changes.as_mut(), redraw) => {}
        }
    }
}

/// Waits for the shortest time, then for a change. A terminal shows ages, so it is redrawn without one too.
async fn pause(args: &Args, changes: &mut dyn Watch, redraw: bool) {
    let every = Duration::from_secs(args.every);
    sleep(every).await;
    let longest = if redraw {
        every
    } else {
        Duration::from_secs(10)
    };
    let _ = tokio::time::timeout(longest, changes.changed()).await;
}

async fn read(
    args: &Args,
    settings: &Settings,
    database: &Database,
) -> anyhow::Result<(Snapshot, Vec<MailRecord>)> {
    let snapshot = Snapshot::take(settings, database).await?;
    let filter = MailFilter {
        limit: args.limit,
        ..MailFilter::default()
    };
    let mails = database.store.reader().await?.mails(&filter).await?;
    Ok((snapshot, mails))
}

fn json(args: &Args, snapshot: &Snapshot, mails: &[MailRecord]) -> Value {
    let mut value = snapshot.json();
    let reveal = Reveal(args.reveal);
    let mails = mails.iter();
    value["newest"] = mails
        .map(|mail| mail_json(mail, &snapshot.holds, reveal))
        .collect();
    value
}

/// The JSON without fields that change as time passes.
fn lasting(args: &Args, snapshot: &Snapshot, mails: &[MailRecord]) -> Value {
    let mut value = json(args, snapshot, mails);
    value["at"] = Value::Null;
    if let Some(oldest) = value["oldest_waiting"].as_object_mut() {
        oldest.remove("age_seconds");
    }
    for worker in value["workers"].as_array_mut().into_iter().flatten() {
        worker["seen_at"] = Value::Null;
    }
    for relay in value["relays"].as_array_mut().into_iter().flatten() {
        relay["updated_at"] = Value::Null;
        relay["next_probe_at"] = Value::Null;
    }
    value
}

fn text(args: &Args, snapshot: &Snapshot, mails: &[MailRecord]) -> String {
    if args.json {
        return json(args, snapshot, mails).to_string();
    }
    let table = if mails.is_empty() {
        String::new()
    } else {
        let table = mail_table(mails, &snapshot.holds, Reveal(args.reveal));
        format!("\n\n{table}")
    };
    let at = to_millis(snapshot.at);
    format!("{at}\n\n{}{table}", stats::text(snapshot))
}
