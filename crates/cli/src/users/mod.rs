//! `smart-notes users`: shows accounts, and changes them as only an operator may. Every change is recorded as `admin` in
//! the same transaction.

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

/// The commands of `users`.
#[derive(Subcommand)]
#[command(after_help = CODES)]
pub enum Command {
    /// Create a user with a verified address. The password comes from the standard input, or a file
    Create(CreateArgs),
    /// List users by number
    List(ListArgs),
    /// Show one user: profile, sessions, and the last security events
    Show(ShowArgs),
    /// Verify the newest pending registration of an address, as its code would
    Verify {
        /// The address
        email: String,
        /// The username of the registration, if several clients registered the address
        #[arg(long, value_name = "NAME")]
        username: Option<String>,
    },
    /// Disable a user: every session ends at once, and no login or code is accepted
    Disable(UserArg),
    /// Enable a disabled user
    Enable(UserArg),
    /// Grant premium, or revoke what was granted here; grants of payment services stay
    SetPlan(SetPlanArgs),
    /// End every session of a user
    Logout(UserArg),
    /// Delete an account with everything that belongs to it, and mail a notice of it
    Delete {
        #[command(flatten)]
        whom: UserArg,
        /// Confirm: this can't be undone
        #[arg(long)]
        yes: bool,
    },
}

/// The arguments of `create`.
#[derive(clap::Args)]
pub struct CreateArgs {
    /// The username
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// Read the password from a file instead of the standard input, without its last line break
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `list`.
#[derive(clap::Args)]
pub struct ListArgs {
    /// Only users whose address contains this, in any case
    #[arg(long, value_name = "PART")]
    email: Option<String>,
    /// Only users whose username contains this, in any case
    #[arg(long, value_name = "PART")]
    name: Option<String>,
    /// Only users with a higher number, to get the next page
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Show addresses in full
    #[arg(long)]
    reveal: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `show`.
#[derive(clap::Args)]
pub struct ShowArgs {
    #[command(flatten)]
    whom: UserArg,
    /// At most this many security events
    #[arg(long, default_value_t = 20)]
    records: u32,
    /// Show the address in full
    #[arg(long)]
    reveal: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `set-plan`.
#[derive(clap::Args)]
pub struct SetPlanArgs {
    #[command(flatten)]
    whom: UserArg,
    /// The plan
    #[arg(value_enum)]
    plan: plan::PlanArg,
    /// When premium ends: the end of a date (UTC), or a time like 2030-01-31T12:00:00Z. Without it, premium has no end
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The user that a command is about.
#[derive(clap::Args)]
pub struct UserArg {
    /// The user's number, address or username
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

/// The operator who runs this command, for the security events.
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
