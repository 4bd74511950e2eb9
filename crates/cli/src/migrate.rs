//! `smart-notes migrate`: creates the database, or updates its schema.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use runtime::database::{self, MigrationError, Report};
use runtime::settings::Settings;
use serde_json::json;
use tokio::time::timeout;

use crate::output;

/// How often a long migration reports that it is still running.
const INTERVAL: Duration = Duration::from_secs(5);

/// The arguments of `migrate`.
#[derive(clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Migrates, and prints what was applied.
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
        say!("{url} is up to date: {} applied", report.applied.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// Migrates. A long migration is reported on the standard error every few seconds.
pub async fn with_progress(settings: &Settings) -> Result<Report, MigrationError> {
    reporting(database::migrate(settings), |elapsed| {
        output::remark(&format!(
            "migrating {}, {} s so far: let it finish",
            settings.database.url,
            elapsed.as_secs()
        ));
    })
    .await
}

/// Waits for `work`, and reports the elapsed time every [`INTERVAL`].
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
    async fn long_work_is_reported_until_it_ends() {
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
