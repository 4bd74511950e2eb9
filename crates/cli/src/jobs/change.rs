//! `jobs retry` and `jobs cancel`.

use domain::store::Store;
use operator::jobs::change::{self, Answer};
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::Value;

use crate::output;
use crate::users::actor;

/// What both are told.
#[derive(clap::Args)]
pub struct Args {
    /// The mails' ids, or the beginnings of them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Tries mails again.
pub async fn retry(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let answers = change::retry(&args.ids, &actor(), settings, database).await?;
    Ok(print(&answers, args.json))
}

/// Withdraws mails.
pub async fn cancel(args: &Args, store: &Store) -> anyhow::Result<u8> {
    let answers = change::cancel(&args.ids, &actor(), store).await?;
    Ok(print(&answers, args.json))
}

/// Prints all and answers with the exit code: the highest.
fn print(answers: &[Answer], as_json: bool) -> u8 {
    if as_json {
        let answers: Value = answers.iter().map(Answer::json).collect();
        say!("{answers:#}");
    } else {
        for answer in answers {
            if answer.code == 0 {
                say!("{}", answer.said);
            } else {
                output::complain(&anyhow::Error::msg(answer.said.clone()));
            }
        }
    }
    answers.iter().map(|answer| answer.code).max().unwrap_or(0)
}
