//! `smart-notes-bench`: figures of this machine, measured with the real programs on a database of their own.

mod baseline;
mod bodies;
mod claim;
mod drain;
mod greedy;
mod harness;
mod http;
mod isolation;
mod latency;
mod load;
mod login;
mod notes;
mod search;
mod stats;
mod tarpit;
mod wakeup;

use clap::{Parser, Subcommand};
use runtime::program;

/// Measure this machine with the real API and worker, which stand beside this program
#[derive(Parser)]
#[command(name = "smart-notes-bench", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What can be measured.
#[derive(Subcommand)]
enum Command {
    /// How soon after its commit a mail is begun by an idle worker, and what idling costs
    Wakeup(wakeup::Args),
    /// How many logins a second, beside a bare loop of the same hash
    Login(login::Args),
    /// How fast a backlog is delivered to a local sink, beside a bare SMTP loop
    Drain(drain::Args),
    /// What other mails wait while the relay hangs at many recipients
    Tarpit(tarpit::Args),
    /// How many lists and new notes a second, beside bare handlers that do nothing else; and how soon at a steady pace
    Notes(notes::Args),
    /// What listing, searching and following one's own notes costs beside a million of others'
    Isolation(isolation::Args),
    /// How long a search through thousands of one's own notes takes, in Latin, Hindi, Thai and Japanese
    Search(search::Args),
    /// How much memory the API takes while strangers send long requests slowly or read no answers, and how soon others are answered
    Bodies(bodies::Args),
    /// What another user waits while one account, or one client without any, takes what it can get
    Greedy(greedy::Args),
    /// What the bare handlers of `notes` run in
    #[command(hide = true)]
    Baseline(baseline::Args),
    /// What a claim costs beside a million mails that are over, as many times what it costs beside none
    Claim(claim::Args),
}

fn main() -> anyhow::Result<()> {
    program::run(run(Args::parse().command))
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Wakeup(args) => wakeup::run(&args).await,
        Command::Login(args) => login::run(&args).await,
        Command::Drain(args) => drain::run(&args).await,
        Command::Tarpit(args) => tarpit::run(&args).await,
        Command::Notes(args) => notes::run(&args).await,
        Command::Isolation(args) => isolation::run(&args).await,
        Command::Search(args) => search::run(&args).await,
        Command::Bodies(args) => bodies::run(&args).await,
        Command::Greedy(args) => greedy::run(&args).await,
        Command::Baseline(args) => baseline::run(&args).await,
        Command::Claim(args) => claim::run(&args).await,
    }
}
