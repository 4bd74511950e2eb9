//! `smart-notes bench`: figures of this machine, measured with the real worker on a database of its own.

mod claim;
mod drain;
mod figures;
mod http;
mod login;
mod probe;
mod rig;
mod wakeup;

use std::process::ExitCode;

use clap::Subcommand;

/// What can be measured.
#[derive(Subcommand)]
pub enum Command {
    /// How soon after its commit a mail is begun by an idle worker, and what idling costs
    Wakeup(wakeup::Args),
    /// How many logins a second, beside a bare loop of the same hash
    Login(login::Args),
    /// How fast a backlog is delivered to a local sink, beside a bare SMTP loop
    Drain(drain::Args),
    /// What a claim costs beside a million mails that are over, as many times what it costs beside none
    Claim(claim::Args),
}

/// Runs a measurement.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Wakeup(args) => wakeup::run(&args).await?,
        Command::Login(args) => login::run(&args).await?,
        Command::Drain(args) => drain::run(&args).await?,
        Command::Claim(args) => claim::run(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
