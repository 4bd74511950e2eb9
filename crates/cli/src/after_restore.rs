//! `smart-notes after-restore`: the last step of a restore from a backup.

use std::process::ExitCode;

use anyhow::bail;
use domain::clock::{self, Clock, SystemClock};
use domain::restore::{AfterRestore, MOST_USER_ID};
use runtime::database::{Database, Role};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;
use serde_json::json;

/// What `after-restore` is told.
#[derive(clap::Args)]
#[command(after_help = "\
A backup that is put back also puts back the numbers by which devices follow the changes of their notes, and the ids of \
users. This lets all of them go on beyond what can have been given since the backup, so that no device takes another \
text for the one it knows. Devices that have synced since the backup read everything anew, and what they edited since \
becomes a copy where the note is another one.

Notes and accounts stay as they are. Safe at any time, and twice.")]
pub struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Lets the numbers go on, and says from where.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    if !clock::is_possible(now) {
        bail!("the clock shows {now:.0}, which can't be: set it, and run this again");
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
        "the numbers of changes and versions go on beyond those that were given since the backup; users: {}",
        done.users
    );
    match next {
        Some(next) => say!("the next user has the id {next}"),
        None => say!("the ids of users go on as they are: too few are left below {MOST_USER_ID}"),
    }
    Ok(ExitCode::SUCCESS)
}
