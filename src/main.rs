//! `smart-notes-api`: the process of the HTTP API.

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

/// The HTTP API of Smart Notes. It never uses SMTP: mails go into the queue, which
/// `smart-notes-worker` processes.
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
    /// Where to listen, instead of the setting `http.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Args {
    fn load_options(self) -> LoadOptions {
        hints::set_options(self.config.as_deref(), self.env_file.as_deref());
        let mut options = LoadOptions::from_process(self.config, self.env_file);
        options
            .overrides
            .extend(self.listen.map(|at| ("http.listen".to_owned(), at)));
        options
    }
}

fn main() -> ExitCode {
    match program::run(run(Args::parse())) {
        Ok(code) => code,
        Err(error) => {
            program::print_error("smart-notes-api", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&args.load_options())?;
    telemetry::init(&settings.log)?;
    settings.log_warnings();
    if settings.http.metrics_listen.is_some() {
        metrics::install()?;
    }
    rlimit::raise(settings.http.max_connections);
    memory::trim_regularly();
    let shutdown = Shutdown::on_signals().context("can't register signal handlers")?;
    let database = Database::open(&settings, Role::Api, &shutdown).await?;
    let listener = smart_notes_api::bind(settings.http.listen)?;
    let clock = Arc::new(SystemClock);
    let registration =
        ProcessRegistration::register(&database, ProcessKind::Api, &settings, clock.clone());
    let served =
        smart_notes_api::serve(&settings, &database.store, clock, listener, &shutdown).await;
    registration.deregister(&database).await;
    database.close().await;
    served?;
    Ok(shutdown.exit_code())
}
