//! Putting a mail into the queue: our row and apalis's job, in the caller's transaction.

use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_sqlite::SqliteTask;
use apalis_sqlite::queries::push_tasks;
use async_trait::async_trait;
use domain::email::EmailKey;
use domain::id::UserId;
use domain::mail::{MAX_CUT_OFFS, MailState, NewMail, undelivered};
use domain::store::{Mails, StoreError};
use jiff::Timestamp;

use crate::access::{Access, Connected, micros};
use crate::error::{store_error, unreadable};
use crate::operator;
use crate::queue::QUEUE;

/// apalis's own limit on attempts plays no part here: the schedule and the deadline decide.
const MAX_ATTEMPTS: usize = 1_000;

/// Why a mail of an account that is gone has ended.
const WITHDRAWN: &str = "the account was deleted";

#[async_trait]
impl<C: Connected> Mails for Access<C> {
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

    async fn forget_mails(
        &mut self,
        user: UserId,
        to: &EmailKey,
        forget_as: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (to, seconds, now) = (to.as_str(), now.as_second(), micros(now));
        let (never, once, twice) = (
            WITHDRAWN,
            undelivered(WITHDRAWN, 1),
            undelivered(WITHDRAWN, MAX_CUT_OFFS),
        );
        // A claim in hand is fenced off by a newer number: its worker may no longer write the final dot. Where it
        // may have written that already, only its result says what became of the mail.
        sqlx::query!(
            "update mails set state = 'cancelled', finished_at = ?1,
                 reason = case cut_offs when 0 then ?4 when 1 then ?5 else ?6 end,
                 again_at = null, held_run_at = null, claim_no = claim_no + 1
             where (recipient_key = ?2 or user_id = ?3) and finished_at is null
               and not (state = 'sending' and dot_claim_no is claim_no)",
            now,
            to,
            user.0,
            never,
            once,
            twice
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        sqlx::query!(
            "update Jobs set status = 'Killed', lock_by = null, lock_at = null, done_at = ?1
             where id in (select id from mails
                          where (recipient_key = ?2 or user_id = ?3) and +state = 'cancelled')
               and +status in ('Pending', 'Running')",
            seconds,
            to,
            user.0
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        // What is not over now forgets the address when it is.
        sqlx::query!(
            "update mails set
                 recipient = iif(finished_at is null, recipient, ''),
                 recipient_key = iif(finished_at is null, recipient_key, ?1),
                 forget_as = iif(finished_at is null, ?1, forget_as)
             where recipient_key = ?2 or user_id = ?3",
            forget_as,
            to,
            user.0
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        operator::forget(&mut self.0, to).await
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
