//! `smart-notes mail`: what became of the mails to an address, in sentences; and ending the suppression of an
//! address.

mod unsuppress;
mod why;

use std::process::ExitCode;

use clap::Subcommand;
use runtime::database::{Database, Role};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;

use crate::exit::{CODES, exit_code};

/// The commands of `mail`.
#[derive(Subcommand)]
#[command(after_help = CODES)]
pub enum Command {
    /// Explain what became of the mails to an address, newest first, or why there are none
    #[command(after_help = CODES)]
    Why(why::Args),
    /// End the suppression of an address that a relay has permanently refused
    #[command(after_help = CODES)]
    Unsuppress(unsuppress::Args),
}

/// Runs a command.
pub async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, Role::Tool, &Shutdown::new()).await?;
    let end = match command {
        Command::Why(args) => why::run(&args, settings, &database).await,
        Command::Unsuppress(args) => unsuppress::run(&args, &database.store).await,
    };
    database.close().await;
    exit_code(end)
}
