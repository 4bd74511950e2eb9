//! Retrying and cancelling mails: one after the other, each in its own transaction.

use domain::audit::Actor;
use domain::clock::{Clock, SystemClock};
use domain::id::MailId;
use domain::operator::{CancelMail, CancelRefusal, RetryMail, RetryRefusal};
use domain::store::Store;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::holds::Holds;
use super::timeline::find;
use crate::Error;

/// Retries mails.
pub async fn retry(
    ids: &[String],
    actor: &Actor,
    settings: &Settings,
    database: &Database,
) -> Result<Vec<Answer>, Error> {
    let mut answers = Vec::new();
    for id in ids {
        let result = retry_one(id, actor, settings, database).await;
        answers.push(Answer::of(id, result)?);
    }
    Ok(answers)
}

/// Cancels mails.
pub async fn cancel(ids: &[String], actor: &Actor, store: &Store) -> Result<Vec<Answer>, Error> {
    let mut answers = Vec::new();
    for id in ids {
        let result = cancel_one(id, actor, store).await;
        answers.push(Answer::of(id, result)?);
    }
    Ok(answers)
}

async fn retry_one(
    id: &str,
    actor: &Actor,
    settings: &Settings,
    database: &Database,
) -> Result<(MailId, String), Error> {
    let store = &database.store;
    let mail = find_id(id, store).await?;
    let retry = RetryMail {
        mail,
        actor: actor.clone(),
        now: SystemClock.now(),
    };
    let retried = store.write(retry).await?.map_err(|refusal| match refusal {
        RetryRefusal::Unknown => Error::not_found(refusal.to_string()),
        refusal => Error::refused(format!("{mail} is not retried: {refusal}")),
    })?;
    let mut message = format!("{mail} is retried; it was {}", retried.was);
    if let Some(suppression) = retried.lifted {
        message = format!("{message}. Its address is no longer suppressed: {suppression}");
    }
    // A mail that is due may still be held.
    let holds = Holds::now(settings, database).await?;
    let found = find(store.reader().await?.as_mut(), &mail.to_string()).await?;
    if let Some(held) = holds.why(&found.mail) {
        message = format!("{message}. But {held}");
    }
    Ok((mail, message))
}

async fn cancel_one(id: &str, actor: &Actor, store: &Store) -> Result<(MailId, String), Error> {
    let mail = find_id(id, store).await?;
    let cancel = CancelMail {
        mail,
        actor: actor.clone(),
        now: SystemClock.now(),
    };
    match store.write(cancel).await? {
        Ok(()) => Ok((mail, format!("{mail} is cancelled"))),
        Err(refusal @ CancelRefusal::Unknown) => Err(Error::not_found(refusal.to_string())),
        Err(refusal) => Err(Error::refused(format!(
            "{mail} is not cancelled: {refusal}"
        ))),
    }
}

async fn find_id(id: &str, store: &Store) -> Result<MailId, Error> {
    Ok(find(store.reader().await?.as_mut(), id).await?.mail.id)
}

/// The result for one mail.
pub struct Answer {
    /// The id as it was given.
    asked: String,
    mail: Option<MailId>,
    /// What was done, or why it was refused.
    pub message: String,
    /// 0 if it was done, otherwise the code of the refusal.
    pub code: u8,
}

impl Answer {
    /// A refusal is an answer and does not stop the others; any other error ends the command.
    fn of(asked: &str, result: Result<(MailId, String), Error>) -> Result<Self, Error> {
        let (mail, message, code) = match result {
            Ok((mail, message)) => (Some(mail), message, 0),
            Err(Error::Refusal(refusal)) => (None, refusal.to_string(), refusal.code()),
            Err(error) => return Err(error),
        };
        Ok(Self {
            asked: asked.to_owned(),
            mail,
            message,
            code,
        })
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "asked": self.asked,
            "id": self.mail,
            "done": self.code == 0,
            "code": self.code,
            "said": self.message,
        })
    }
}
