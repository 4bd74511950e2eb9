//! `smart-notes users`: looking at accounts, and what only an operator may do to them. Everything that changes
//! one is recorded as `admin` in the same transaction.

mod change;
mod create;
mod plan;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use domain::audit::Actor;
use runtime::database::{Database, Role};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;

use crate::exit::{CODES, exit_code};

/// What `users` can do.
#[derive(Subcommand)]
#[command(after_help = CODES)]
pub enum Command {
    /// Make a user whose address counts as verified. The password comes from the standard input, or a file
    Create(CreateArgs),
    /// List users, by their numbers
    List(ListArgs),
    /// Show one user: profile, sessions, and the last security events
    Show(ShowArgs),
    /// Make a user of the newest registration that waits with this address, as its code would do
    Verify {
        /// The address
        email: String,
        /// The name of the registration that is meant, if several people's wait
        #[arg(long, value_name = "NAME")]
        username: Option<String>,
    },
    /// Shut a user out: every session ends at once, and no login or code is good
    Disable(Whom),
    /// Let a disabled user in again
    Enable(Whom),
    /// Grant premium, or take back what was granted here: payment services' grants stay
    SetPlan(SetPlanArgs),
    /// End every session of a user
    Logout(Whom),
    /// Delete an account with everything that belongs to it, and mail the farewell
    Delete {
        #[command(flatten)]
        whom: Whom,
        /// Really do it: it can't be undone
        #[arg(long)]
        yes: bool,
    },
}

/// What `create` is told.
#[derive(clap::Args)]
pub struct CreateArgs {
    /// The name
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// A file with the password, instead of the standard input. The last line break does not count
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What `list` is told.
#[derive(clap::Args)]
pub struct ListArgs {
    /// Only users with this in their address, in any case
    #[arg(long, value_name = "PART")]
    email: Option<String>,
    /// Only users with this in their name, in any case
    #[arg(long, value_name = "PART")]
    name: Option<String>,
    /// Only users with a higher number: the next page
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Show addresses as they are
    #[arg(long)]
    reveal: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What `show` is told.
#[derive(clap::Args)]
pub struct ShowArgs {
    #[command(flatten)]
    whom: Whom,
    /// At most this many security events
    #[arg(long, default_value_t = 20)]
    records: u32,
    /// Show the address as it is
    #[arg(long)]
    reveal: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What `set-plan` is told.
#[derive(clap::Args)]
pub struct SetPlanArgs {
    #[command(flatten)]
    whom: Whom,
    /// The plan
    #[arg(value_enum)]
    plan: plan::Wish,
    /// Until when: a date, which means its end (UTC), or a time like 2030-01-31T12:00:00Z. Without it, premium has no end
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Which user.
#[derive(clap::Args)]
pub struct Whom {
    /// The user's number, address or name
    user: String,
}

/// Runs a command.
pub async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, Role::Tool, &Shutdown::new()).await?;
    let done = carry_out(command, settings, &database).await;
    database.close().await;
    exit_code(done.map(|()| 0))
}

async fn carry_out(
    command: Command,
    settings: &Settings,
    database: &Database,
) -> anyhow::Result<()> {
    let store = &database.store;
    match command {
        Command::Create(args) => create::create(&args, settings, store).await,
        Command::List(args) => show::list(&args, store).await,
        Command::Show(args) => show::show(&args, settings, store).await,
        Command::Verify { email, username } => {
            create::verify(&email, username.as_deref(), store).await
        }
        Command::Disable(whom) => change::set_active(&whom, false, store).await,
        Command::Enable(whom) => change::set_active(&whom, true, store).await,
        Command::SetPlan(args) => plan::set(&args, store).await,
        Command::Logout(whom) => change::log_out(&whom, store).await,
        Command::Delete { whom, yes } => change::delete(&whom, yes, settings, store).await,
    }
}

/// Whoever types this, for the record of security events.
pub fn actor() -> Actor {
    let who = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty());
    let who: String = who
        .unwrap_or_else(|| "unknown".to_owned())
        .chars()
        .filter(|c| c.is_alphanumeric() || "._-".contains(*c))
        .take(64)
        .collect();
    Actor::operator(format!("smart-notes/{} ({who})", env!("CARGO_PKG_VERSION")))
}
