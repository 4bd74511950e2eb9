//! `mail why`.

use operator::jobs::Reveal;
use operator::mail::MailReport;
use runtime::database::Database;
use runtime::settings::Settings;

use crate::jobs::address;
use crate::output;

/// The arguments of `why`.
#[derive(clap::Args)]
pub struct Args {
    /// The address, in any spelling
    address: String,
    /// At most this many mails
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Show the address in full
    #[arg(long)]
    reveal: bool,
    /// Print JSON: the facts, and the same sentences
    #[arg(long)]
    json: bool,
}

/// Prints what became of the mails to an address.
pub async fn run(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let address = address(&args.address)?;
    let reveal = Reveal(args.reveal);
    let report = MailReport::read(&address, args.limit, reveal, settings, database).await?;
    output::print(args.json, || report.json(), || report.text());
    Ok(0)
}
