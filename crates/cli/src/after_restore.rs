//! `smart-notes after-restore`: the last step of a restore from a backup.

use std::process::ExitCode;

use anyhow::bail;
use domain::clock::{self, Clock, SystemClock};
use domain::restore::{AfterRestore, MOST_USER_ID};
use runtime::database::{Database, Role};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;
use serde_json::json;

/// The arguments of `after-restore`.
#[derive(clap::Args)]
#[command(after_help = "\
A restore also resets the change numbers that devices sync by, and the ids of new users. This command raises both \
beyond everything that may have been issued since the backup, so that no device mistakes a new text for one it has. \
Devices that synced since the backup read all notes again; where they edited a note that differs now, the edit becomes \
a copy.

Notes and accounts are not changed. Safe at any time, and safe to repeat.")]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Raises the numbers, and prints the result.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    if !clock::is_possible(now) {
        bail!("the clock shows {now:.0}, which is impossible: set the clock, and run this again");
    }
    let database = Database::open(settings, Role::Tool, &Shutdown::new()).await?;
    let done = database.store.write(AfterRestore { now }).await;
    database.close().await;
    let done = done?;
    let next = done.next_user.map(|user| user.0);
    if args.json {
        say!("{}", json!({"users": done.users, "next_user_id": next}));
        return Ok(ExitCode::SUCCESS);
    }
    say!(
        "change numbers and versions continue beyond those issued since the backup; users: {}",
        done.users
    );
    match next {
        Some(next) => say!("the next user gets the id {next}"),
        None => say!("user ids continue unchanged: too few are left below {MOST_USER_ID}"),
    }
    Ok(ExitCode::SUCCESS)
}
