//! `smart-notes jobs`: what is in the mail queue, the timeline of one mail, and what an operator can do about it. No code
//! is ever shown: the database holds none. Every change is recorded as `admin`.

mod change;
mod list;
mod pause;
mod show;
mod stats;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::mail::MailKind;
use runtime::database::{Database, Role};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;

use crate::exit::{CODES, exit_code};

pub use list::address;

/// The commands of `jobs`.
#[derive(Subcommand)]
#[command(after_help = CODES)]
pub enum Command {
    /// List mails, newest first
    #[command(after_help = CODES)]
    List(list::Args),
    /// Show one mail from its request to its end, with every attempt
    #[command(after_help = CODES)]
    Show(show::Args),
    /// Retry mails: waiting ones at once, undelivered ones once more while their codes are valid
    #[command(after_help = CODES)]
    Retry(change::Args),
    /// Cancel mails that were not sent yet
    #[command(after_help = CODES)]
    Cancel(change::Args),
    /// Stop sending in all workers until `resume`; mails in flight are finished
    #[command(after_help = CODES)]
    Pause(pause::PauseArgs),
    /// Resume sending
    #[command(after_help = CODES)]
    Resume(pause::ResumeArgs),
    /// Show the queue in numbers: mails by state and kind, throughput, workers
    #[command(after_help = CODES)]
    Stats(stats::Args),
    /// Show the numbers and the newest mails until Ctrl-C, refreshed on every change
    #[command(after_help = CODES)]
    Watch(watch::Args),
}

/// Parses a kind, so that the help and an error list them all.
fn kinds() -> impl TypedValueParser<Value = MailKind> {
    PossibleValuesParser::new(MailKind::ALL.map(MailKind::as_str))
        .try_map(|word| word.parse::<MailKind>())
}

/// Runs a command.
pub async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, Role::Tool, &Shutdown::new()).await?;
    let end = carry_out(command, settings, &database).await;
    database.close().await;
    exit_code(end)
}

async fn carry_out(
    command: Command,
    settings: &Settings,
    database: &Database,
) -> anyhow::Result<u8> {
    let store = &database.store;
    match command {
        Command::List(args) => list::run(&args, settings, database).await,
        Command::Show(args) => show::run(&args, settings, database).await,
        Command::Retry(args) => change::retry(&args, settings, database).await,
        Command::Cancel(args) => change::cancel(&args, store).await,
        Command::Pause(args) => pause::pause(&args, store).await,
        Command::Resume(args) => pause::resume(&args, store).await,
        Command::Stats(args) => stats::run(&args, settings, database).await,
        Command::Watch(args) => watch::run(&args, settings, database).await,
    }
}
