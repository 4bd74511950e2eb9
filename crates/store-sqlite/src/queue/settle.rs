//! Settling, marking and releasing claims that the [`Fence`] lets through.
//!
//! A `+` before a column keeps `SQLite` from its index: many rows may share a state or a worker, and each would be
//! compared with each of the group. By the id, each of the group finds its row at once.

use std::collections::HashMap;

use domain::id::MailId;
use domain::mail::{Lane, MailState};
use domain::queue::{ChallengeLife, Claim, Loss, Marked, Settlement, TryRecord};
use domain::store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::claimed::life;
use super::fence::{Fence, claim_rows, losses};
use super::{OUT_OF_REACH, ranks, whole_second};
use crate::access::micros;
use crate::error::{store_error, unreadable};

/// A settlement as the statements read it.
#[derive(Serialize)]
struct Row<'a> {
    mail: String,
    claim: u32,
    state: &'static str,
    reason: &'a str,
    again_at: Option<i64>,
    finished_at: Option<i64>,
    counted: u8,
    cut_off: u8,
    lane: i64,
    status: &'static str,
    run_at: Option<i64>,
    done_at: Option<i64>,
    result: String,
    suppress_until: Option<i64>,
    reaches: Vec<TryRow<'a>>,
}

/// The record of one reach for a relay as the statement reads it.
#[derive(Serialize)]
struct TryRow<'a> {
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
    fn of(settlement: &'a Settlement) -> Self {
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
            cut_off: settlement.cut_off.into(),
            lane: settlement.lane.step(),
            status: job_status(settlement.state),
            run_at,
            done_at: is_final.then(|| settlement.at.as_second()),
            result: job_result(settlement),
            suppress_until: settlement.suppress_until.map(micros),
            reaches: settlement.records.iter().map(TryRow::of).collect(),
        }
    }
}

impl<'a> TryRow<'a> {
    fn of(record: &'a TryRecord) -> Self {
        Self {
            started_at: micros(record.started),
            duration_ms: record.duration_ms,
            relay: &record.relay,
            reused: record.reused.into(),
            stage: &record.stage,
            code: record.code,
            enhanced: record.enhanced.as_deref(),
            text: &record.text,
            outcome: &record.outcome,
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
fn job_result(settlement: &Settlement) -> String {
    let word = match job_status(settlement.state) {
        "Done" => "Ok",
        _ => "Err",
    };
    serde_json::json!({ word: settlement.reason }).to_string()
}

/// Settles claims that [`Fence`] has let through.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    worker: &str,
    settlements: &[&Settlement],
) -> Result<(), StoreError> {
    if settlements.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row<'_>> = settlements.iter().copied().map(Row::of).collect();
    let rows = serde_json::to_string(&rows).map_err(unreadable)?;
    sqlx::query!(
        "update mails set
             state = j.value ->> 'state', reason = j.value ->> 'reason',
             again_at = j.value ->> 'again_at', finished_at = j.value ->> 'finished_at',
             tries = mails.tries + (j.value ->> 'counted'),
             recipient = iif(j.value ->> 'finished_at' is not null and mails.forget_as is not null,
                 '', mails.recipient),
             recipient_key = iif(j.value ->> 'finished_at' is not null and mails.forget_as is not null,
                 mails.forget_as, mails.recipient_key),
             cut_offs = mails.cut_offs + (j.value ->> 'cut_off')
         from jsonb_each(?) as j
         where mails.id = j.value ->> 'mail'",
        rows
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    record_tries(connection, worker, &rows).await?;
    if settlements
        .iter()
        .any(|settlement| settlement.suppress_until.is_some())
    {
        suppress(connection, &rows).await?;
    }
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

/// Has mails come due that waited for their destination, and puts those without an attempt among all others. Not those that a pause of their kind holds, nor any that is in flight.
pub(super) async fn wake(
    connection: &mut SqliteConnection,
    mails: &[MailId],
    now: Timestamp,
) -> Result<(), StoreError> {
    if mails.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = mails.iter().map(ToString::to_string).collect();
    let ids = serde_json::to_string(&ids).map_err(unreadable)?;
    let (seconds, first) = (now.as_second(), Lane::SlowFirst.step());
    let first_ranks = serde_json::to_string(&ranks(&[Lane::SlowFirst])).map_err(unreadable)?;
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

async fn record_tries(
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
                iif(t.key + 1 = json_array_length(j.value, '$.reaches'), j.value ->> 'again_at', null)
         from jsonb_each(?2) as j, jsonb_each(j.value, '$.reaches') as t",
        worker,
        rows
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Keeps addresses that a relay has refused for good, but none that is to be forgotten.
async fn suppress(connection: &mut SqliteConnection, rows: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "insert or replace into suppressions
             (recipient_key, since_at, until_at, mail_id, relay, code, enhanced, text)
         select mails.recipient_key, j.value ->> 'finished_at', j.value ->> 'suppress_until', mails.id,
                j.value ->> '$.reaches[#-1].relay', j.value ->> '$.reaches[#-1].code',
                j.value ->> '$.reaches[#-1].enhanced', j.value ->> '$.reaches[#-1].text'
         from jsonb_each(?1) as j cross join mails on mails.id = j.value ->> 'mail'
         where j.value ->> 'suppress_until' is not null and j.value ->> '$.reaches[#-1]' is not null
           and j.value ->> 'finished_at' is not null and mails.forget_as is null",
        rows
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Puts on record that the final dot is about to be written, for claims that `fence` lets through.
pub(super) async fn mark(
    connection: &mut SqliteConnection,
    marks: &[Claim],
    fence: &Fence,
    now: Timestamp,
) -> Result<HashMap<Claim, Marked>, StoreError> {
    let (go, refused): (Vec<Claim>, Vec<Claim>) =
        marks.iter().partition(|claim| fence.lets_mark(**claim));
    let mut answers = HashMap::with_capacity(marks.len());
    for claim in refused {
        answers.insert(claim, refusal(connection, claim, now).await?);
    }
    if go.is_empty() {
        return Ok(answers);
    }
    let ids: Vec<String> = go.iter().map(|claim| claim.mail.to_string()).collect();
    let ids = serde_json::to_string(&ids).map_err(unreadable)?;
    sqlx::query!(
        "update mails set dot_claim_no = claim_no where id in (select value from json_each(?))",
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    answers.extend(go.into_iter().map(|claim| (claim, Marked::Go)));
    Ok(answers)
}

async fn refusal(
    connection: &mut SqliteConnection,
    claim: Claim,
    now: Timestamp,
) -> Result<Marked, StoreError> {
    let (id, number) = (claim.mail.to_string(), i64::from(claim.number));
    let challenge = sqlx::query!(
        "select challenges.decoy, challenges.used_at, challenges.ended_at, challenges.superseded_at, challenges.expires_at
         from mails join challenges on challenges.id = mails.challenge_id
         where mails.id = ? and mails.claim_no = ? and mails.state = 'sending'",
        id,
        number
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(store_error)?;
    let Some(row) = challenge else {
        let loss = losses(connection, vec![claim]).await?.pop();
        return Ok(Marked::Lost(loss.map_or(Loss::Taken, |(_, loss)| loss)));
    };
    let life = life(
        row.decoy == 1,
        row.used_at,
        row.ended_at,
        row.superseded_at,
        row.expires_at,
        now,
    );
    Ok(match life {
        // Alive and the newest claim would have been marked.
        ChallengeLife::Live => Marked::Lost(Loss::Taken),
        dead => Marked::Dead(dead),
    })
}

/// Gives back claims that were not begun, without counting a try. Returns those that are void.
pub(super) async fn release(
    connection: &mut SqliteConnection,
    worker: &str,
    releases: &[Claim],
) -> Result<Vec<Claim>, StoreError> {
    if releases.is_empty() {
        return Ok(Vec::new());
    }
    let rows = claim_rows(releases.iter().copied())?;
    let given_back = sqlx::query_scalar!(
        "update mails set state = case when reason is not null then 'waiting' else 'queued' end
         from jsonb_each(?) as j
         where mails.id = j.value ->> 'mail' and mails.claim_no = j.value ->> 'claim'
           and +mails.state = 'sending'
         returning mails.id",
        rows
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    let ids = serde_json::to_string(&given_back).map_err(unreadable)?;
    sqlx::query!(
        "update Jobs set status = 'Pending', lock_by = null, lock_at = null, attempts = attempts - 1
         where +lock_by = ?1 and id in (select value from json_each(?2))",
        worker,
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    let mut void = releases.to_vec();
    void.retain(|claim| !given_back.contains(&claim.mail.to_string()));
    Ok(void)
}
