//! Trying mails again and withdrawing them: one mail after the other, each in a transaction of its own.

use domain::audit::Actor;
use domain::clock::{Clock, SystemClock};
use domain::id::MailId;
use domain::operator::{CancelMail, CancelRefusal, RetryMail, RetryRefusal};
use domain::store::Store;
use runtime::database::Database;
use runtime::settings::Settings;
use serde_json::{Value, json};

use super::shown::{Holds, find};
use crate::Error;

/// Tries mails again.
pub async fn retry(
    ids: &[String],
    actor: &Actor,
    settings: &Settings,
    database: &Database,
) -> Result<Vec<Answer>, Error> {
    let mut answers = Vec::new();
    for id in ids {
        let end = retry_one(id, actor, settings, database).await;
        answers.push(Answer::of(id, end)?);
    }
    Ok(answers)
}

/// Withdraws mails.
pub async fn cancel(ids: &[String], actor: &Actor, store: &Store) -> Result<Vec<Answer>, Error> {
    let mut answers = Vec::new();
    for id in ids {
        let end = cancel_one(id, actor, store).await;
        answers.push(Answer::of(id, end)?);
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
    let mail = which(id, store).await?;
    let retry = RetryMail {
        mail,
        actor: actor.clone(),
        now: SystemClock.now(),
    };
    let retried = match store.write(retry).await? {
        Ok(retried) => retried,
        Err(refusal @ RetryRefusal::Unknown) => {
            return Err(Error::not_found(refusal.to_string()));
        }
        Err(refusal) => {
            let said = format!("{mail} is not tried again: {refusal}");
            return Err(Error::refused(said));
        }
    };
    let mut said = format!("{mail} is tried again; it was {}", retried.was);
    if let Some(suppression) = retried.lifted {
        said = format!("{said}. What suppressed its address is lifted: {suppression}");
    }
    Ok((mail, said + &still_held(mail, settings, database).await?))
}

async fn cancel_one(id: &str, actor: &Actor, store: &Store) -> Result<(MailId, String), Error> {
    let mail = which(id, store).await?;
    let cancel = CancelMail {
        mail,
        actor: actor.clone(),
        now: SystemClock.now(),
    };
    match store.write(cancel).await? {
        Ok(()) => Ok((mail, format!("{mail} is cancelled"))),
        Err(refusal @ CancelRefusal::Unknown) => Err(Error::not_found(refusal.to_string())),
        Err(refusal) => {
            let said = format!("{mail} is not cancelled: {refusal}");
            Err(Error::refused(said))
        }
    }
}

async fn which(id: &str, store: &Store) -> Result<MailId, Error> {
    let mut view = store.view().await?;
    Ok(find(view.as_mut(), id).await?.mail.id)
}

/// That a mail which may go out still does not.
async fn still_held(
    mail: MailId,
    settings: &Settings,
    database: &Database,
) -> Result<String, Error> {
    let holds = Holds::now(settings, database).await?;
    let mut view = database.store.view().await?;
    let story = find(view.as_mut(), &mail.to_string()).await?;
    let held = holds.why(&story.mail);
    Ok(held.map_or_else(String::new, |held| format!(". But {held}")))
}

/// What came of one mail.
pub struct Answer {
    /// The id as it was given.
    asked: String,
    mail: Option<MailId>,
    /// What happened, or why it was refused.
    pub said: String,
    /// 0 if it was done, else that of the refusal.
    pub code: u8,
}

impl Answer {
    /// A refusal is an answer, and keeps no other mail from its turn; an error ends it all.
    fn of(asked: &str, end: Result<(MailId, String), Error>) -> Result<Self, Error> {
        let (mail, said, code) = match end {
            Ok((mail, said)) => (Some(mail), said, 0),
            Err(Error::Refusal(refusal)) => (None, refusal.to_string(), refusal.code()),
            Err(error) => return Err(error),
        };
        Ok(Self {
            asked: asked.to_owned(),
            mail,
            said,
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
            "said": self.said,
        })
    }
}
