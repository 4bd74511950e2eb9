//! `smart-notes migrate`: make the database, or bring its schema up to date.

use std::process::ExitCode;

use runtime::database;
use runtime::settings::Settings;
use serde_json::json;

/// What `migrate` is told.
#[derive(clap::Args)]
pub struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Migrates, and says what was done.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let report = database::migrate(settings).await?;
    let url = &settings.database.url;
    if args.json {
        say!(
            "{}",
            json!({"database": url.to_string(), "applied": report.applied})
        );
    } else if report.applied.is_empty() {
        say!("{url} is up to date");
    } else {
        for name in &report.applied {
            say!("applied {name}");
        }
        say!("{url} is up to date now: {} applied", report.applied.len());
    }
    Ok(ExitCode::SUCCESS)
}
