//! `jobs show`.

use operator::jobs::{Reveal, Timeline};
use runtime::database::Database;
use runtime::settings::Settings;

use crate::output;

/// The arguments of `show`.
#[derive(clap::Args)]
pub struct Args {
    /// The mail's id, or the beginning of it
    id: String,
    /// Show addresses in full
    #[arg(long)]
    reveal: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints a mail's timeline.
pub async fn run(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let timeline = Timeline::read(&args.id, settings, database).await?;
    let reveal = Reveal(args.reveal);
    output::print(
        args.json,
        || timeline.json(reveal),
        || timeline.text(reveal),
    );
    Ok(0)
}
