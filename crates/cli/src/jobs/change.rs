//! `jobs retry` and `jobs cancel`.

use domain::store::Store;
use operator::jobs::{self, Answer};
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::Value;

use crate::output;
use crate::users::actor;

/// The arguments of both.
#[derive(clap::Args)]
pub struct Args {
    /// The ids of the mails, or the beginnings of them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Retries mails.
pub async fn retry(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let answers = jobs::retry(&args.ids, &actor(), settings, database).await?;
    Ok(print(&answers, args.json))
}

/// Cancels mails.
pub async fn cancel(args: &Args, store: &Store) -> anyhow::Result<u8> {
    let answers = jobs::cancel(&args.ids, &actor(), store).await?;
    Ok(print(&answers, args.json))
}

/// Prints all answers and returns the exit code: the highest.
fn print(answers: &[Answer], as_json: bool) -> u8 {
    if as_json {
        let answers: Value = answers.iter().map(Answer::json).collect();
        say!("{answers:#}");
    } else {
        for answer in answers {
            if answer.code == 0 {
                say!("{}", answer.message);
            } else {
                output::complain(&anyhow::Error::msg(answer.message.clone()));
            }
        }
    }
    answers.iter().map(|answer| answer.code).max().unwrap_or(0)
}
