//! `jobs retry` and `jobs cancel`: one mail after the other, each in a transaction of its own.

use domain::clock::{Clock, SystemClock};
use domain::id::MailId;
use domain::operator::{CancelMail, CancelRefusal, RetryMail, RetryRefusal};
use domain::store::Store;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::shown::{Holds, find};
use crate::fault::Fault;
use crate::output;
use crate::users::operator;

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
    let mut answers = Answers::default();
    for id in &args.ids {
        let said = retry_one(id, settings, database).await;
        answers.take(id, said)?;
    }
    Ok(answers.print(args.json))
}

/// Withdraws mails.
pub async fn cancel(args: &Args, store: &Store) -> anyhow::Result<u8> {
    let mut answers = Answers::default();
    for id in &args.ids {
        let said = cancel_one(id, store).await;
        answers.take(id, said)?;
    }
    Ok(answers.print(args.json))
}

async fn retry_one(
    id: &str,
    settings: &Settings,
    database: &Database,
) -> anyhow::Result<(MailId, String)> {
    let store = &database.store;
    let mail = which(id, store).await?;
    let retry = RetryMail {
        mail,
        actor: operator(),
        now: SystemClock.now(),
    };
    let retried = match store.write(retry).await? {
        Ok(retried) => retried,
        Err(refusal @ RetryRefusal::Unknown) => {
            return Err(Fault::NotFound(refusal.to_string()).into());
        }
        Err(refusal) => {
            let said = format!("{mail} is not tried again: {refusal}");
            return Err(Fault::Refused(said).into());
        }
    };
    let mut said = format!("{mail} is tried again; it was {}", retried.was);
    if let Some(suppression) = retried.lifted {
        said = format!("{said}. What suppressed its address is lifted: {suppression}");
    }
    Ok((mail, said + &still_held(mail, settings, database).await?))
}

async fn cancel_one(id: &str, store: &Store) -> anyhow::Result<(MailId, String)> {
    let mail = which(id, store).await?;
    let cancel = CancelMail {
        mail,
        actor: operator(),
        now: SystemClock.now(),
    };
    match store.write(cancel).await? {
        Ok(()) => Ok((mail, format!("{mail} is cancelled"))),
        Err(refusal @ CancelRefusal::Unknown) => Err(Fault::NotFound(refusal.to_string()).into()),
        Err(refusal) => {
            let said = format!("{mail} is not cancelled: {refusal}");
            Err(Fault::Refused(said).into())
        }
    }
}

async fn which(id: &str, store: &Store) -> anyhow::Result<MailId> {
    let mut view = store.view().await?;
    Ok(find(view.as_mut(), id).await?.mail.id)
}

/// That a mail which may go out still does not.
async fn still_held(
    mail: MailId,
    settings: &Settings,
    database: &Database,
) -> anyhow::Result<String> {
    let holds = Holds::now(settings, database).await?;
    let mut view = database.store.view().await?;
    let story = find(view.as_mut(), &mail.to_string()).await?;
    let held = holds.why(&story.mail);
    Ok(held.map_or_else(String::new, |held| format!(". But {held}")))
}

/// What is to be said of each mail.
#[derive(Default)]
struct Answers(Vec<Answer>);

struct Answer {
    asked: String,
    mail: Option<MailId>,
    said: String,
    code: u8,
}

impl Answers {
    /// A fault of one mail keeps no other from its turn; an error ends it all.
    fn take(&mut self, asked: &str, end: anyhow::Result<(MailId, String)>) -> anyhow::Result<()> {
        let (mail, said, code) = match end {
            Ok((mail, said)) => (Some(mail), said, 0),
            Err(error) => {
                let fault: Fault = error.downcast()?;
                (None, fault.to_string(), fault.code())
            }
        };
        self.0.push(Answer {
            asked: asked.to_owned(),
            mail,
            said,
            code,
        });
        Ok(())
    }

    /// Prints all and answers with the exit code: the highest.
    fn print(self, as_json: bool) -> u8 {
        if as_json {
            let answers: Vec<Value> = self.0.iter().map(Answer::json).collect();
            say!("{:#}", Value::Array(answers));
        } else {
            for answer in &self.0 {
                if answer.code == 0 {
                    say!("{}", answer.said);
                } else {
                    output::complain(&anyhow::Error::msg(answer.said.clone()));
                }
            }
        }
        self.0.iter().map(|answer| answer.code).max().unwrap_or(0)
    }
}

impl Answer {
    fn json(&self) -> Value {
        json!({
            "asked": self.asked,
            "id": self.mail,
            "done": self.code == 0,
            "code": self.code,
            "said": self.said,
        })
    }
}
