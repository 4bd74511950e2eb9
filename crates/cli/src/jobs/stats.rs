//! `jobs stats`.

use operator::jobs::Snapshot;
use runtime::database::Database;
use runtime::settings::Settings;

use crate::{output, table};

/// The arguments of `stats`.
#[derive(clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the numbers.
pub async fn run(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let snapshot = Snapshot::take(settings, database).await?;
    output::print(args.json, || snapshot.json(), || text(&snapshot));
    Ok(0)
}

/// A table of mails by state and kind, and the rest of the numbers.
pub fn text(snapshot: &Snapshot) -> String {
    let states = &snapshot.counts.states;
    let mails = if states.is_empty() {
        "no mails".to_owned()
    } else {
        let rows = states.iter().map(|count| {
            vec![
                count.state.to_string(),
                count.kind.to_string(),
                count.mails.to_string(),
            ]
        });
        table::of(["STATE", "KIND", "MAILS"], rows)
    };
    format!("{mails}\n\n{}", snapshot.text())
}
