//! Checks that settings, database, processes, queue, relays and DNS fit together, and suggests a fix for anything that is
//! wrong.
//!
//! Changes nothing and sends no mail. One file for each group of checks; each check is a finding.

mod clock;
mod database;
mod files;
mod finding;
mod keys;
mod network;
mod payments;
mod processes;
mod queue;
mod relays;
mod report;
mod restores;
mod sender;
mod settings;

use std::path::PathBuf;

use runtime::settings::LoadOptions;

pub use finding::{Finding, Level};
pub use network::{Network, RelayAnswer, RelayFailure, RelayProbe, Security};
pub use report::{Findings, Progress};

use report::Report;

/// What to check.
pub struct Examination {
    /// How the settings are loaded.
    pub options: LoadOptions,
    /// A file of variables to read instead of `.env`.
    pub env_file: Option<PathBuf>,
    /// Whether to look up the sender's domain in development too.
    pub dns: bool,
}

impl Examination {
    /// Runs every check, and reports to `progress`.
    pub async fn run(self, network: &dyn Network, progress: &mut dyn Progress) -> Findings {
        let mut report = Report::new(progress);
        self.examine(network, &mut report).await;
        report.finish()
    }

    async fn examine(self, network: &dyn Network, report: &mut Report<'_>) {
        report.group("settings");
        let Some(settings) = settings::check(self.env_file.as_ref(), self.options, report) else {
            return;
        };
        report.group("payments");
        payments::check(&settings, report);
        report.group("database");
        let database = database::check(&settings, report).await;
        if let Some(database) = &database {
            restores::check(database, report).await;
        }
        report.group("clock");
        clock::check(&settings, database.as_ref(), report).await;
        let mut posted = Vec::new();
        if let Some(database) = &database {
            report.group("processes");
            let present = processes::check(&settings, database, report).await;
            report.group("keys");
            keys::check(&settings, &present, report);
            report.group("queue");
            posted = queue::check(database, &present, report).await;
            database.close().await;
        }
        report.group("relays");
        relays::check(&settings, &posted, network, report).await;
        report.group("sender");
        sender::check(&settings, self.dns, network, report).await;
    }
}
