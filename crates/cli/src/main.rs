//! `smart-notes`: the command line for operators and developers.
//!
//! One file for each command; this one lists them. Without a command, `dev` runs.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "both panic when the reader has exited; `say!` does not"
)]

// First, for its `say!`.
#[macro_use]
mod output;

mod after_restore;
mod config;
mod dev;
mod doctor;
mod exit;
mod import_django;
mod jobs;
mod mail;
mod migrate;
mod openapi;
mod table;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use runtime::hints;
use runtime::program;
use runtime::settings::{LoadOptions, Settings};

/// Smart Notes: accounts confirmed by one-time codes in mail, and notes.
///
/// Settings come from `--config`, `--env-file` or `.env`, and the environment. In production, `smart-notes-api` and
/// `smart-notes-worker` are the services; this program is for operating them.
#[derive(Parser)]
#[command(name = "smart-notes", version)]
struct Args {
    /// The settings file (TOML), also as the variable `SMART_NOTES_CONFIG`. With one, no `.env` is read
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// A file of variables (NAME='value'), instead of `.env` in the working directory
    #[arg(long, value_name = "FILE", global = true)]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run API, worker and a mail catcher with a web inbox, all in one process (the default)
    Dev(dev::Args),
    /// Create the database, or update its schema
    Migrate(migrate::Args),
    /// Run this after restoring a backup: raises the numbers by which devices sync
    AfterRestore(after_restore::Args),
    /// Show the settings in force and the source of each; secrets are masked
    Config(config::Args),
    /// Check everything that must fit together, and suggest a fix for anything that is wrong
    Doctor(doctor::Args),
    /// Print the description of the API (OpenAPI 3.1, JSON)
    Openapi,
    /// Show and change the mail queue: list, show, retry, cancel, pause, resume, stats, watch
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Explain what became of the mails to an address, or end its suppression
    #[command(subcommand)]
    Mail(mail::Command),
    /// Show accounts, and create, verify, disable or delete them
    #[command(subcommand)]
    Users(users::Command),
    /// Import the accounts of the Django service that this one replaces
    ImportDjango(import_django::Args),
}

impl Args {
    fn load_options(&self) -> LoadOptions {
        hints::set_options(self.config.as_deref(), self.env_file.as_deref());
        LoadOptions::from_process(self.config.clone(), self.env_file.clone())
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = program::run(run(args));
    let written = output::end().context("the standard output can't be written to");
    match result.and_then(|code| written.map(|()| code)) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let options = args.load_options();
    match args
        .command
        .unwrap_or_else(|| Command::Dev(dev::Args::default()))
    {
        Command::Dev(args) => dev::run(args, options).await,
        Command::Migrate(args) => migrate::run(&args, &Settings::load(&options)?).await,
        Command::AfterRestore(args) => {
            after_restore::run(&args, &Settings::load(&options.inspect_only())?).await
        }
        Command::Config(args) => config::run(&args, &Settings::load(&options.inspect_only())?),
        Command::Doctor(args) => Ok(doctor::run(&args, options).await),
        Command::Openapi => openapi::run(&Settings::load(&options.inspect_only())?),
        Command::Jobs(command) => {
            jobs::run(command, &Settings::load(&options.inspect_only())?).await
        }
        Command::Mail(command) => {
            mail::run(command, &Settings::load(&options.inspect_only())?).await
        }
        Command::Users(command) => users::run(command, &Settings::load(&options)?).await,
        Command::ImportDjango(args) => import_django::run(&args, &Settings::load(&options)?).await,
    }
}
