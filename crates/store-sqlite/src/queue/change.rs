//! What becomes of mails outside of a settlement: both rows at once, for a whole group; and what dead workers had locked.
//!
//! A `+` before a column keeps `SQLite` from its index; by the id, each of the group finds its row at once.

use domain::queue::port::{LockedMail, LostAttempt, MailChange};
use domain::queue::{Claim, JobId};
use domain::store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::settle::{job_result, job_status};
use super::{json, whole_second};
use crate::error::{store_error, unreadable};
use crate::executor::{micros, time};

/// A change as the statements read it.
#[derive(Serialize)]
struct Row<'a> {
    mail: &'a JobId,
    state: &'static str,
    reason: Option<&'a str>,
    again_at: Option<i64>,
    finished_at: Option<i64>,
    crashed: u8,
    uncertain: u8,
    voids: u8,
    status: &'static str,
    run_at: Option<i64>,
    done_at: Option<i64>,
    uncounted: u8,
    result: Option<String>,
}

impl<'a> Row<'a> {
    fn of(change: &'a MailChange, now: Timestamp) -> Self {
        let is_final = change.state.is_final();
        let run_at = change.due.map(whole_second);
        let later = run_at.filter(|at| *at > now.as_second());
        let reason = change.reason.as_deref();
        Self {
            mail: &change.job,
            state: change.state.as_str(),
            reason,
            again_at: later.map(|seconds| seconds * 1_000_000),
            finished_at: is_final.then(|| micros(now)),
            crashed: change.crashed.into(),
            uncertain: change.uncertain.into(),
            voids: change.voids_claim.into(),
            status: job_status(change.state),
            run_at,
            done_at: is_final.then(|| now.as_second()),
            uncounted: change.uncounted.into(),
            result: reason
                .filter(|_| is_final)
                .map(|reason| job_result(change.state, reason)),
        }
    }
}

pub(super) async fn change_mails(
    connection: &mut SqliteConnection,
    changes: &[MailChange],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows: Vec<Row<'_>> = changes.iter().map(|change| Row::of(change, now)).collect();
    let rows = json(&rows)?;
    sqlx::query!(
        "update mails set
             state = j.value ->> 'state', reason = coalesce(j.value ->> 'reason', mails.reason),
             again_at = j.value ->> 'again_at', finished_at = j.value ->> 'finished_at',
             held_run_at = iif(j.value ->> 'finished_at' is null, mails.held_run_at, null),
             crashes = mails.crashes + (j.value ->> 'crashed'),
             cut_offs = mails.cut_offs + (j.value ->> 'uncertain'),
             claim_no = mails.claim_no + (j.value ->> 'voids')
         from jsonb_each(?) as j
         where mails.id = j.value ->> 'mail'",
        rows
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update Jobs set
             status = j.value ->> 'status', run_at = coalesce(j.value ->> 'run_at', Jobs.run_at),
             lock_by = null, lock_at = null, done_at = j.value ->> 'done_at',
             attempts = Jobs.attempts - (j.value ->> 'uncounted'),
             last_result = coalesce(j.value ->> 'result', Jobs.last_result)
         from jsonb_each(?) as j
         where Jobs.id = j.value ->> 'mail' and +Jobs.status in ('Pending', 'Running')",
        rows
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Puts the pseudonym in the place of the address in mails that have one.
pub(super) async fn forget_addresses(
    connection: &mut SqliteConnection,
    mails: &[JobId],
) -> Result<(), StoreError> {
    let mails = json(mails)?;
    sqlx::query!(
        "update mails set recipient = '', recipient_key = forget_as
         where id in (select value from json_each(?)) and forget_as is not null",
        mails
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

pub(super) async fn locked_mails(
    connection: &mut SqliteConnection,
    workers: &[String],
) -> Result<Vec<LockedMail>, StoreError> {
    let workers = json(workers)?;
    let rows = sqlx::query!(
        r#"select mails.id, mails.claim_no, mails.kind, mails.crashes, mails.cut_offs,
                  mails.dot_claim_no is mails.claim_no as "permitted!: bool",
                  mails.forget_as is not null as "to_be_forgotten!: bool",
                  Jobs.lock_by as "worker!", Jobs.lock_at as "locked!"
           from Jobs join mails on mails.id = Jobs.id
           where +Jobs.status = 'Running' and +mails.state = 'sending'
             and Jobs.lock_by in (select value from json_each(?))
           order by mails.id"#,
        workers
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            Ok(LockedMail {
                claim: Claim {
                    mail: row.id.parse().map_err(unreadable)?,
                    number: u32::try_from(row.claim_no).map_err(unreadable)?,
                },
                kind: row.kind.into(),
                worker: row.worker,
                locked: time(row.locked.saturating_mul(1_000_000)),
                permitted: row.permitted,
                crashes: u32::try_from(row.crashes).unwrap_or(u32::MAX),
                uncertain_attempts: u32::try_from(row.cut_offs).unwrap_or(u32::MAX),
                to_be_forgotten: row.to_be_forgotten,
            })
        })
        .collect()
}

pub(super) async fn record_lost_attempts(
    connection: &mut SqliteConnection,
    attempts: &[LostAttempt],
) -> Result<(), StoreError> {
    for LostAttempt {
        claim,
        worker,
        record,
    } in attempts
    {
        let (stage, outcome) = (record.stage.as_str(), record.outcome.as_str());
        let (mail, number) = (claim.mail.to_string(), i64::from(claim.number));
        let started = micros(record.started);
        let duration = i64::try_from(record.duration_ms).unwrap_or(i64::MAX);
        sqlx::query!(
            "insert or ignore into mail_tries
                 (mail_id, claim_no, worker, started_at, duration_ms, relay, reused, stage, text, outcome)
             values (?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
            mail,
            number,
            worker,
            started,
            duration,
            record.relay,
            stage,
            record.text,
            outcome
        )
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    }
    Ok(())
}

/// Unlocks the jobs that workers still hold: those of open mails are pending, the others end.
pub(super) async fn unlock_foreign_jobs(
    connection: &mut SqliteConnection,
    workers: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    let (workers, seconds) = (json(workers)?, now.as_second());
    sqlx::query!(
        "update Jobs set
             status = iif(exists (select 1 from mails where mails.id = Jobs.id and finished_at is null),
                 'Pending', 'Killed'),
             done_at = iif(exists (select 1 from mails where mails.id = Jobs.id and finished_at is null), null, ?1),
             lock_by = null, lock_at = null
         where lock_by in (select value from json_each(?2))",
        seconds,
        workers
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
