//! `smart-notes-worker`: delivers mail, as a process of its own.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use domain::clock::SystemClock;
use domain::processes::ProcessKind;
use runtime::database::{Database, Role};
use runtime::hints;
use runtime::memory;
use runtime::metrics;
use runtime::process_registration::ProcessRegistration;
use runtime::program;
use runtime::rlimit;
use runtime::settings::{LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use runtime::telemetry;

/// The mail worker of Smart Notes. It drains the queue that the API fills and hands the mails to
/// the relay; any number may run on one database.
///
/// Settings come from `--config`, `--env-file` or `.env`, and the environment; `smart-notes config` shows them.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// A file of settings (TOML); the variable `SMART_NOTES_CONFIG` names one, too. With one, no `.env` is read
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file of variables (NAME='value'), instead of `.env` in the working directory
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    match program::run(run(Args::parse())) {
        Ok(code) => code,
        Err(error) => {
            program::print_error("smart-notes-worker", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    hints::set_options(args.config.as_deref(), args.env_file.as_deref());
    let options = LoadOptions::from_process(args.config, args.env_file);
    let settings = Settings::load(&options)?;
    telemetry::init(&settings.log)?;
    settings.log_warnings();
    if settings.worker.metrics_listen.is_some() {
        metrics::install()?;
    }
    rlimit::raise(settings.smtp.max_connections * settings.smtp.relays.len());
    memory::trim_regularly();
    let shutdown = Shutdown::on_signals().context("signals can't be received")?;
    let database = Database::open(&settings, Role::Worker, &shutdown).await?;
    let clock = Arc::new(SystemClock);
    let registration =
        ProcessRegistration::register(&database, ProcessKind::Worker, &settings, clock.clone());
    let ran = smart_notes_worker::run(&settings, &database, clock, &shutdown).await;
    registration.deregister(&database).await;
    database.close().await;
    ran?;
    Ok(shutdown.exit_code())
}
