//! `smart-notes doctor`: looks at everything that must fit together, and says how what does not is mended.
//!
//! Changes nothing and sends no mail. One file for each room; each check is a sentence in the report.

mod clock;
mod database;
mod files;
mod finding;
mod keys;
mod payments;
mod processes;
mod queue;
mod relays;
mod restores;
mod sender;
mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use runtime::settings::LoadOptions;

use finding::{Level, Report};

/// What `doctor` is told.
#[derive(clap::Args)]
#[command(after_help = "\
Changes nothing and sends no mail. To see what the services see, give it what they are given: their settings, and \
the variables of their unit:

  sudo smart-notes --config /etc/smart-notes/production.toml doctor --env-file /etc/smart-notes/environment

Exit codes: 0 nothing must be mended (warnings don't count); 1 something must be; 2 wrong use.")]
pub struct Args {
    /// Look the sender's domain up in DNS, in development too
    #[arg(long)]
    dns: bool,
    /// Ask this name server about the sender's domain instead of the system's; means --dns
    #[arg(long, value_name = "ADDRESS:PORT")]
    nameserver: Option<SocketAddr>,
    /// A file of variables to read instead of `.env`: the services' `EnvironmentFile=`
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Looks at everything.
pub async fn run(args: &Args, options: LoadOptions) -> ExitCode {
    let mut report = Report::new(args.json);
    examine(args, options, &mut report).await;
    report.finish();
    if report.count(Level::Problem) == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn examine(args: &Args, options: LoadOptions, report: &mut Report) {
    report.group("settings");
    let Some(settings) = settings::check(args.env_file.as_ref(), options, report) else {
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
    relays::check(&settings, &posted, report).await;
    report.group("sender");
    sender::check(&settings, args.dns, args.nameserver, report).await;
}
