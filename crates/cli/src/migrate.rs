//! `smart-notes migrate`: make the database, or bring its schema up to date.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use runtime::database::{self, MigrationError, Report};
use runtime::settings::Settings;
use serde_json::json;
use tokio::time::timeout;

use crate::output;

/// How often a migration that takes long reports that it goes on.
const INTERVAL: Duration = Duration::from_secs(5);

/// What `migrate` is told.
#[derive(clap::Args)]
pub struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Migrates, and says what was done.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let report = with_progress(settings).await?;
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

/// Migrates. If that takes long, the standard error says so every few seconds.
pub async fn with_progress(settings: &Settings) -> Result<Report, MigrationError> {
    reporting(database::migrate(settings), |elapsed| {
        output::remark(&format!(
            "{} is being migrated, {} s so far: let it finish",
            settings.database.url,
            elapsed.as_secs()
        ));
    })
    .await
}

/// Waits for `work`, and reports every [`INTERVAL`] how long that has taken.
async fn reporting<T>(work: impl Future<Output = T>, report: impl Fn(Duration)) -> T {
    let mut work = pin!(work);
    let mut elapsed = Duration::ZERO;
    loop {
        if let Ok(done) = timeout(INTERVAL, &mut work).await {
            return done;
        }
        elapsed += INTERVAL;
        report(elapsed);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_long_is_reported_until_it_ends() {
        let reported = RefCell::new(Vec::new());
        let work = async {
            tokio::time::sleep(Duration::from_secs(12)).await;
            "done"
        };

        let done = reporting(work, |elapsed| {
            reported.borrow_mut().push(elapsed.as_secs());
        })
        .await;

        assert_eq!(done, "done");
        assert_eq!(*reported.borrow(), [5, 10]);
    }
}
