//! `jobs watch`: the numbers and the newest mails, as they change.

use std::io::{self, IsTerminal};
use std::time::Duration;

use domain::queue::{MailFilter, MailRecord, Watch};
use operator::jobs::shown::{Reveal, mail_json, moment};
use operator::jobs::stats::Snapshot;
use runtime::database::Database;
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;
use serde_json::Value;
use tokio::time::sleep;

use super::list::mail_table;
use super::stats;
use crate::output;

/// What `watch` is told.
#[derive(clap::Args)]
pub struct Args {
    /// At most this many of the newest mails
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    limit: u32,
    /// The shortest pause between two looks, in seconds
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Show addresses as they are
    #[arg(long)]
    reveal: bool,
    /// Answer in JSON: one line whenever something has changed
    #[arg(long)]
    json: bool,
}

/// Looks again and again, until a signal.
pub async fn run(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let end = Shutdown::on_signals()?;
    let mut changes = database.queue.watch().await?;
    let redraw = io::stdout().is_terminal() && !args.json;
    let mut last = None;
    loop {
        let (snapshot, mails) = look(args, settings, database).await?;
        let now = lasting(args, &snapshot, &mails);
        if redraw || last.as_ref() != Some(&now) {
            let shown = shown(args, &snapshot, &mails);
            // On a terminal in the place of what was there (ECMA-48: CUP, ED).
            if redraw {
                say!("\x1b[H\x1b[2J{shown}\n\nCtrl-C ends this.");
            } else {
                say!("{shown}");
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

/// Waits for the shortest pause, then for a change. What is redrawn shows ages, so it is not left for long.
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

async fn look(
    args: &Args,
    settings: &Settings,
    database: &Database,
) -> anyhow::Result<(Snapshot, Vec<MailRecord>)> {
    let snapshot = Snapshot::take(settings, database).await?;
    let filter = MailFilter {
        limit: args.limit,
        ..MailFilter::default()
    };
    let mails = database.store.view().await?.mails(&filter).await?;
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

/// What is shown, without what changes by time passing alone.
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

fn shown(args: &Args, snapshot: &Snapshot, mails: &[MailRecord]) -> String {
    if args.json {
        return json(args, snapshot, mails).to_string();
    }
    let table = if mails.is_empty() {
        String::new()
    } else {
        let table = mail_table(mails, &snapshot.holds, Reveal(args.reveal));
        format!("\n\n{table}")
    };
    let at = moment(snapshot.at);
    format!("{at}\n\n{}{table}", stats::text(snapshot))
}
