//! Putting a mail into the queue: our row and apalis's job, in the caller's transaction.

use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_sqlite::SqliteTask;
use apalis_sqlite::queries::push_tasks;
use async_trait::async_trait;
use domain::mail::{MailState, NewMail};
use domain::store::{Mails, StoreError};

use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros};
use crate::queue::QUEUE;

/// apalis's own limit on attempts plays no part here: the schedule and the deadline decide.
const MAX_ATTEMPTS: usize = 1_000;

#[async_trait]
impl<C: ConnectionGuard> Mails for Executor<C> {
    async fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError> {
        let id = mail.id.to_string();
        let kind = mail.kind.as_str();
        let to_key = mail.to_key.as_str();
        let challenge = mail.challenge.map(|challenge| challenge.to_string());
        let user = mail.user.map(|user| user.0);
        let state = MailState::Queued.as_str();
        let now = micros(mail.now);
        let deadline = mail.deadline.map(micros);
        sqlx::query!(
            "insert into mails
                 (id, kind, recipient, recipient_key, challenge_id, user_id, request_id, state,
                  created_at, deadline_at, forget_as)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id,
            kind,
            mail.to,
            to_key,
            challenge,
            user,
            mail.request_id,
            state,
            now,
            deadline,
            mail.forget_as
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        push_tasks(&mut *self.0, QUEUE, &[job(mail)?])
            .await
            .map_err(|error| match error {
                apalis_sqlite::Error::Database(error) => store_error(error),
                other => unreadable(other),
            })
    }
}

/// The job holds the mail's id and nothing else: no address, no code.
fn job(mail: &NewMail) -> Result<SqliteTask, StoreError> {
    let payload = serde_json::json!({ "mail": mail.id });
    let seconds = u64::try_from(mail.now.as_second()).unwrap_or(0);
    Ok(
        TaskBuilder::new(serde_json::to_vec(&payload).map_err(unreadable)?)
            .task_id(TaskId::from_ulid(mail.id.ulid()))
            .idempotency_key(format!("mail:{}", mail.id))
            .priority(mail.kind.priority().rank() as usize)
            .max_attempts(MAX_ATTEMPTS)
            .run_at_timestamp(seconds)
            .build(),
    )
}
