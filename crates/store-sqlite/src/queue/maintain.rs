//! Looking for mails that no worker claims, and for the open mails of an account.

use domain::email::EmailKey;
use domain::id::{MailId, UserId};
use domain::mail::MailState;
use domain::otp::KeyId;
use domain::queue::JobId;
use domain::queue::maintain::{Latest, MissingKey};
use domain::queue::port::OpenMail;
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{OUT_OF_REACH, QUEUE, json};
use crate::error::{store_error, unreadable};
use crate::executor::micros;

/// Looked for priority by priority, so that the many jobs of known ones cost nothing. A newer version may know others:
/// its mails stay.
pub(super) async fn foreign_jobs(
    connection: &mut SqliteConnection,
    ranks: &[i64],
    limit: u32,
) -> Result<Vec<JobId>, StoreError> {
    let ranks = json(ranks)?;
    sqlx::query_scalar!(
        "with recursive rank (value) as (
             select max(priority) from Jobs indexed by idx_jobs_pending
             where job_type = ?1 and status = 'Pending' and lock_by is null
             union all
             select (select max(priority) from Jobs indexed by idx_jobs_pending
                     where job_type = ?1 and status = 'Pending' and lock_by is null and priority < rank.value)
             from rank where rank.value is not null
         )
         select Jobs.id from rank cross join Jobs indexed by idx_jobs_pending
             on Jobs.job_type = ?1 and Jobs.status = 'Pending' and Jobs.lock_by is null and Jobs.priority = rank.value
         where rank.value not in (select value from json_each(?2))
           and not exists (select 1 from mails where mails.id = Jobs.id and mails.finished_at is null)
         limit ?3",
        QUEUE,
        ranks,
        limit
    )
    .fetch_all(connection)
    .await
    .map(|ids| ids.into_iter().map(JobId).collect())
    .map_err(store_error)
}

/// An open mail's columns.
struct OpenRow {
    id: String,
    kind: String,
    reason: Option<String>,
    cut_offs: i64,
    permitted: bool,
    to_be_forgotten: bool,
}

impl OpenRow {
    fn read(self) -> Result<OpenMail, StoreError> {
        Ok(OpenMail {
            id: self.id.parse().map_err(unreadable)?,
            kind: self.kind.into(),
            reason: self.reason,
            uncertain_attempts: u32::try_from(self.cut_offs).unwrap_or(u32::MAX),
            permitted: self.permitted,
            to_be_forgotten: self.to_be_forgotten,
        })
    }
}

pub(super) async fn overdue_mails(
    connection: &mut SqliteConnection,
    now: Timestamp,
    notices_before: Timestamp,
    limit: u32,
) -> Result<Vec<OpenMail>, StoreError> {
    let (now, too_old) = (micros(now), micros(notices_before));
    let rows = sqlx::query!(
        "select mails.id, mails.kind, mails.reason, mails.cut_offs, mails.forget_as
           from (select id from mails indexed by mails_by_deadline
                 where finished_at is null and deadline_at is not null and deadline_at <= ?1
                   and state in ('queued', 'waiting')
                 union all
                 select id from mails
                 where state in ('queued', 'waiting') and created_at < ?2 and deadline_at is null) as over
           cross join Jobs on Jobs.id = over.id
           cross join mails on mails.id = over.id
           where Jobs.status = 'Pending' and Jobs.lock_by is null limit ?3",
        now,
        too_old,
        limit
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            OpenRow {
                id: row.id,
                kind: row.kind,
                reason: row.reason,
                cut_offs: row.cut_offs,
                permitted: false,
                to_be_forgotten: row.forget_as.is_some(),
            }
            .read()
        })
        .collect()
}

/// A mail in flight whose end of data may have been written may have left.
pub(super) async fn open_mails(
    connection: &mut SqliteConnection,
    user: UserId,
    to: &EmailKey,
) -> Result<Vec<OpenMail>, StoreError> {
    let to = to.as_str();
    let rows = sqlx::query_as!(
        OpenRow,
        r#"select id, kind, reason, cut_offs,
                  state = 'sending' and dot_claim_no is claim_no as "permitted!: bool",
                  forget_as is not null as "to_be_forgotten!: bool"
           from mails where (recipient_key = ?1 or user_id = ?2) and finished_at is null"#,
        to,
        user.0
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(OpenRow::read).collect()
}

/// Mails that wait for a time which no schedule gave them, or for none.
pub(super) async fn skewed_mails(
    connection: &mut SqliteConnection,
    latest: &Latest,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(MailId, MailState)>, StoreError> {
    let seconds = now.as_second();
    let [asked, code, notice] = [latest.request, latest.code, latest.notice].map(micros);
    let rows = sqlx::query!(
        r#"select skewed.id as "id!", skewed.state as "state!" from (
               select mails.id, mails.state from mails
               where mails.state = 'queued' and mails.created_at > ?1
               union all
               select mails.id, mails.state from mails indexed by mails_waiting
               where state = 'waiting' and held_run_at is null
                 and (deadline_at is null) = 0 and again_at > ?2
               union all
               select mails.id, mails.state from mails indexed by mails_waiting
               where state = 'waiting' and held_run_at is null
                 and (deadline_at is null) = 1 and again_at > ?3
               union all
               select mails.id, mails.state from mails indexed by mails_waiting
               where state = 'waiting' and held_run_at is null
                 and (deadline_at is null) in (0, 1) and again_at is null) as skewed
           where exists (select 1 from Jobs where Jobs.id = skewed.id
                           and Jobs.run_at > ?4 and Jobs.run_at < ?6
                           and Jobs.status = 'Pending' and Jobs.lock_by is null)
           limit ?5"#,
        asked,
        code,
        notice,
        seconds,
        limit,
        OUT_OF_REACH
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let (id, state) = (row.id.parse(), row.state.parse());
            Ok((id.map_err(unreadable)?, state.map_err(unreadable)?))
        })
        .collect()
}

/// Of the first due jobs of a rank, those whose live code needs a key that is not among `held`.
pub(super) async fn missing_keys(
    connection: &mut SqliteConnection,
    rank: i64,
    held: &[KeyId],
    now: Timestamp,
    limit: u32,
) -> Result<Vec<MissingKey>, StoreError> {
    let keys: Vec<&str> = held.iter().map(KeyId::as_str).collect();
    let keys = json(&keys)?;
    let (seconds, now) = (now.as_second(), micros(now));
    let rows = sqlx::query!(
        "select mails.id, mails.reason, challenges.key_id
         from (select id from Jobs indexed by idx_jobs_pending
               where job_type = ?3 and status = 'Pending' and lock_by is null and priority = ?4
                 and run_at <= ?5
               order by run_at limit ?6) as due
         cross join mails on mails.id = due.id
         cross join challenges on challenges.id = mails.challenge_id
         where mails.state in ('queued', 'waiting')
           and challenges.used_at is null and challenges.ended_at is null
           and challenges.superseded_at is null and challenges.decoy = 0 and challenges.expires_at > ?1
           and challenges.key_id not in (select value from json_each(?2))",
        now,
        keys,
        QUEUE,
        rank,
        seconds,
        limit
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            Ok(MissingKey {
                mail: row.id.parse().map_err(unreadable)?,
                key: row.key_id.into(),
                reason: row.reason,
            })
        })
        .collect()
}
