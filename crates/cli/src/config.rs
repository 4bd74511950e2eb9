//! `smart-notes config`: the settings in force, and the source of each.

use std::process::ExitCode;

use runtime::settings::Settings;

use crate::table;

/// The arguments of `config`.
#[derive(clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints every key with its value and its source. Secrets are masked.
pub fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let rows = settings.explain();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        let cells = rows
            .into_iter()
            .map(|row| vec![row.key, row.value, row.source.to_string()]);
        say!("{}", table::of(["KEY", "VALUE", "FROM"], cells));
    }
    Ok(ExitCode::SUCCESS)
}
