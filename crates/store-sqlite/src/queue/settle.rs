//! Settling claims that the fence lets through, waking mails, and recording permits.
//!
//! A `+` before a column keeps `SQLite` from its index: many rows may share a state or a worker, and each would be
//! compared with each of the group. By the id, each of the group finds its row at once.

use domain::id::MailId;
use domain::mail::{Lane, MailState};
use domain::queue::due::ranks;
use domain::queue::{AttemptRecord, Claim, Outcome};
use domain::store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::{OUT_OF_REACH, json, whole_second};
use crate::error::store_error;
use crate::executor::micros;

/// An outcome as the statements read it.
#[derive(Serialize)]
struct Row<'a> {
    mail: String,
    claim: u32,
    state: &'static str,
    reason: &'a str,
    again_at: Option<i64>,
    finished_at: Option<i64>,
    counted: u8,
    uncertain: u8,
    lane: i64,
    status: &'static str,
    run_at: Option<i64>,
    done_at: Option<i64>,
    result: String,
    suppress_until: Option<i64>,
    attempts: Vec<AttemptRow<'a>>,
}

/// The record of one relay attempt as the statement reads it.
#[derive(Serialize)]
struct AttemptRow<'a> {
    started_at: i64,
    duration_ms: u64,
    relay: &'a str,
    reused: u8,
    stage: &'a str,
    code: Option<u16>,
    enhanced: Option<&'a str>,
    text: &'a str,
    outcome: &'a str,
}

impl<'a> Row<'a> {
    fn of(settlement: &'a Outcome) -> Self {
        let is_final = settlement.state.is_final();
        let run_at = settlement.again_at.map(whole_second);
        Self {
            mail: settlement.claim.mail.to_string(),
            claim: settlement.claim.number,
            state: settlement.state.as_str(),
            reason: &settlement.reason,
            again_at: run_at.map(|seconds| seconds * 1_000_000),
            finished_at: is_final.then(|| micros(settlement.at)),
            counted: settlement.counted.into(),
            uncertain: settlement.uncertain.into(),
            lane: settlement.lane.step(),
            status: job_status(settlement.state),
            run_at,
            done_at: is_final.then(|| settlement.at.as_second()),
            result: job_result(settlement.state, &settlement.reason),
            suppress_until: settlement.suppress_until.map(micros),
            attempts: settlement.records.iter().map(AttemptRow::of).collect(),
        }
    }
}

impl<'a> AttemptRow<'a> {
    fn of(record: &'a AttemptRecord) -> Self {
        Self {
            started_at: micros(record.started),
            duration_ms: record.duration_ms,
            relay: &record.relay,
            reused: record.reused.into(),
            stage: record.stage.as_str(),
            code: record.code,
            enhanced: record.enhanced.as_deref(),
            text: &record.text,
            outcome: record.outcome.as_str(),
        }
    }
}

/// apalis's word for a state. `Done`, `Failed` and `Killed` are final.
pub(super) fn job_status(state: MailState) -> &'static str {
    match state {
        MailState::Queued | MailState::Waiting => "Pending",
        MailState::Sending => "Running",
        MailState::Delivered | MailState::NotNeeded => "Done",
        MailState::Undeliverable | MailState::Expired => "Failed",
        MailState::Cancelled | MailState::Poison => "Killed",
    }
}

/// The result in apalis's shape, for tools that read its tables.
pub(super) fn job_result(state: MailState, reason: &str) -> String {
    let word = match job_status(state) {
        "Done" => "Ok",
        _ => "Err",
    };
    serde_json::json!({ word: reason }).to_string()
}

fn rows(settlements: &[&Outcome]) -> Result<String, StoreError> {
    let rows: Vec<Row<'_>> = settlements.iter().copied().map(Row::of).collect();
    json(&rows)
}

/// Settles claims that the fence has let through.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    worker: &str,
    settlements: &[&Outcome],
) -> Result<(), StoreError> {
    let rows = rows(settlements)?;
    sqlx::query!(
        "update mails set
             state = j.value ->> 'state', reason = j.value ->> 'reason',
             again_at = j.value ->> 'again_at', finished_at = j.value ->> 'finished_at',
             tries = mails.tries + (j.value ->> 'counted'),
             cut_offs = mails.cut_offs + (j.value ->> 'uncertain')
         from jsonb_each(?) as j
         where mails.id = j.value ->> 'mail'",
        rows
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    record_attempts(connection, worker, &rows).await?;
    // A rank's remainder by the step is that of the main lane; of a number above zero.
    let (step, above) = (Lane::STEP, Lane::STEP + Lane::SlowFirst.step());
    sqlx::query!(
        "update Jobs set
             status = j.value ->> 'status', run_at = coalesce(j.value ->> 'run_at', Jobs.run_at),
             lock_by = null, lock_at = null, done_at = j.value ->> 'done_at',
             attempts = Jobs.attempts - 1 + (j.value ->> 'counted'),
             last_result = j.value ->> 'result',
             priority = (Jobs.priority + ?4) % ?3 - (j.value ->> 'lane')
         from jsonb_each(?1) as j
         where Jobs.id = j.value ->> 'mail' and +Jobs.lock_by = ?2",
        rows,
        worker,
        step,
        above
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Makes mails due that waited for their destination, and puts those without an attempt on the main lane. Mails that a
/// pause holds, or that are in flight, stay as they are.
pub(super) async fn wake(
    connection: &mut SqliteConnection,
    mails: &[MailId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids: Vec<String> = mails.iter().map(ToString::to_string).collect();
    let ids = json(&ids)?;
    let (seconds, first) = (now.as_second(), Lane::SlowFirst.step());
    let first_ranks = json(&ranks(&[Lane::SlowFirst]))?;
    sqlx::query!(
        "update mails set again_at = null
         where id in (select value from json_each(?)) and +state = 'waiting' and held_run_at is null",
        ids
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update Jobs set
             run_at = iif(run_at < ?4, min(run_at, ?2), run_at),
             priority = priority + iif(priority in (select value from json_each(?5)), ?3, 0)
         where id in (select value from json_each(?1)) and +status = 'Pending' and +lock_by is null",
        ids,
        seconds,
        first,
        OUT_OF_REACH,
        first_ranks
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

async fn record_attempts(
    connection: &mut SqliteConnection,
    worker: &str,
    rows: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert or replace into mail_tries
             (mail_id, claim_no, reach, worker, started_at, duration_ms, relay, reused, stage, code, enhanced,
              text, outcome, again_at)
         select j.value ->> 'mail', j.value ->> 'claim', t.key + 1, ?1,
                t.value ->> 'started_at', t.value ->> 'duration_ms', t.value ->> 'relay',
                t.value ->> 'reused', t.value ->> 'stage', t.value ->> 'code',
                t.value ->> 'enhanced', t.value ->> 'text', t.value ->> 'outcome',
                iif(t.key + 1 = json_array_length(j.value, '$.attempts'), j.value ->> 'again_at', null)
         from jsonb_each(?2) as j, jsonb_each(j.value, '$.attempts') as t",
        worker,
        rows
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Keeps addresses that a relay has refused for good.
pub(super) async fn suppress(
    connection: &mut SqliteConnection,
    refusals: &[&Outcome],
) -> Result<(), StoreError> {
    let rows = rows(refusals)?;
    sqlx::query!(
        "insert or replace into suppressions
             (recipient_key, since_at, until_at, mail_id, relay, code, enhanced, text)
         select mails.recipient_key, j.value ->> 'finished_at', j.value ->> 'suppress_until', mails.id,
                j.value ->> '$.attempts[#-1].relay', j.value ->> '$.attempts[#-1].code',
                j.value ->> '$.attempts[#-1].enhanced', j.value ->> '$.attempts[#-1].text'
         from jsonb_each(?1) as j cross join mails on mails.id = j.value ->> 'mail'",
        rows
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Records that the end of data is about to be written for these claims.
pub(super) async fn record_permits(
    connection: &mut SqliteConnection,
    claims: &[Claim],
) -> Result<(), StoreError> {
    let ids: Vec<String> = claims.iter().map(|claim| claim.mail.to_string()).collect();
    let ids = json(&ids)?;
    sqlx::query!(
        "update mails set dot_claim_no = claim_no where id in (select value from json_each(?))",
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
