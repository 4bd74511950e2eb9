//! The statements of an operator's commands.

use async_trait::async_trait;
use domain::email::EmailKey;
use domain::id::MailId;
use domain::mail::MailKind;
use domain::operator::{OperatorCommands, Pause, Suppression};
use domain::store::StoreError;
use jiff::Timestamp;

use super::SuppressionRow;
use crate::error::store_error;
use crate::executor::{ConnectionGuard, Executor, micros, time};
use crate::queue::release_held;

#[async_trait]
impl<C: ConnectionGuard> OperatorCommands for Executor<C> {
    async fn requeue(
        &mut self,
        mail: MailId,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (mail, seconds) = (mail.to_string(), now.as_second());
        let job = sqlx::query!(
            "update Jobs set status = 'Pending', run_at = ?1, lock_by = null, lock_at = null, done_at = null
             where id = ?2 and status <> 'Running'",
            seconds,
            mail
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        if job.rows_affected() == 0 {
            return Ok(false);
        }
        // A mail that had crashed its workers may be claimed as often again.
        sqlx::query!(
            "update mails set state = iif(tries + cut_offs > 0, 'waiting', 'queued'), reason = ?1,
                 again_at = null, finished_at = null, held_run_at = null, crashes = 0
             where id = ?2",
            reason,
            mail
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(true)
    }

    async fn withdraw(
        &mut self,
        mail: MailId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (mail, seconds, now) = (mail.to_string(), now.as_second(), micros(now));
        // A newer number fences the claim of a worker that is sending it: the worker may no longer write the end of data.
        sqlx::query!(
            "update mails set state = 'cancelled', reason = ?1, finished_at = ?2, again_at = null,
                 held_run_at = null, claim_no = claim_no + 1,
                 recipient = iif(forget_as is null, recipient, ''),
                 recipient_key = coalesce(forget_as, recipient_key)
             where id = ?3 and finished_at is null",
            reason,
            now,
            mail
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        sqlx::query!(
            "update Jobs set status = 'Killed', lock_by = null, lock_at = null, done_at = ?1
             where id = ?2 and status in ('Pending', 'Running')",
            seconds,
            mail
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn pause(&mut self, pause: &Pause) -> Result<bool, StoreError> {
        let kind = pause.kind.as_deref().unwrap_or_default();
        let since = micros(pause.since);
        let before = sqlx::query_scalar!(
            r#"select exists (select 1 from pauses where kind = ? and ended_at is null) as "before!: bool""#,
            kind
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)?;
        sqlx::query!(
            "insert into pauses (kind, reason, since_at, paused_by) values (?, ?, ?, ?)
             on conflict (kind) do update set
                 since_at = iif(ended_at is null, since_at, excluded.since_at), reason = excluded.reason,
                 paused_by = excluded.paused_by, ended_at = null",
            kind,
            pause.reason,
            since,
            pause.by
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(!before)
    }

    async fn end_pauses(
        &mut self,
        kind: Option<MailKind>,
        now: Timestamp,
    ) -> Result<Vec<Pause>, StoreError> {
        let (kind, now) = (kind.map(MailKind::as_str), micros(now));
        let rows = sqlx::query!(
            "update pauses set ended_at = ?1 where ended_at is null and (?2 is null or kind = ?2)
             returning kind, reason, since_at, paused_by",
            now,
            kind
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| Pause {
                kind: Some(row.kind).filter(|kind| !kind.is_empty()),
                reason: row.reason,
                since: time(row.since_at),
                by: row.paused_by,
            })
            .collect())
    }

    async fn release_held(&mut self) -> Result<u64, StoreError> {
        release_held(&mut self.0).await
    }

    async fn lift_suppression(
        &mut self,
        to: &EmailKey,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError> {
        let (to, now) = (to.as_str(), micros(now));
        let row = sqlx::query_as!(
            SuppressionRow,
            "delete from suppressions where recipient_key = ? and until_at > ?
             returning since_at, until_at, mail_id, relay, code, enhanced, text",
            to,
            now
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        row.map(SuppressionRow::read).transpose()
    }
}
