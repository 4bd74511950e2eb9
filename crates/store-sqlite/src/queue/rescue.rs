//! Taking back what dead workers had in hand.
//!
//! A mail whose final dot was on record as about to be written counts as cut off: it gets one
//! more try and no second. A mail that was in hand of three workers that died is set aside. Those that two died with
//! come back one by one: only one of them kills its workers, and it must not take the others with it.

use async_trait::async_trait;
use domain::mail::{MAX_CRASHES, MAX_CUT_OFFS, MailState, maybe_delivered};
use domain::queue::Rescued;
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{QueueWrite, standings};
use crate::access::micros;
use crate::error::{store_error, unreadable};

pub(super) struct Rescue {
    pub(super) dead: Vec<String>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl QueueWrite for Rescue {
    type Out = Vec<Rescued>;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Vec<Rescued>, StoreError> {
        let dead = serde_json::to_string(&self.dead).map_err(unreadable)?;
        record_lost_tries(connection, &dead, self.now).await?;
        let (rescued, suspects) = take_back_mails(connection, &dead, self.now).await?;
        give_back_jobs(connection, &dead, self.now).await?;
        set_apart(connection, &suspects, self.now).await?;
        standings::forget(connection, &self.dead).await?;
        sqlx::query!(
            "delete from Workers where id in (select value from json_each(?))",
            dead
        )
        .execute(connection)
        .await
        .map_err(store_error)?;
        Ok(rescued)
    }
}

/// What is known of a try whose worker did not survive it.
async fn record_lost_tries(
    connection: &mut SqliteConnection,
    dead: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = micros(now);
    sqlx::query!(
        "insert or ignore into mail_tries
             (mail_id, claim_no, worker, started_at, duration_ms, relay, reused, stage, text, outcome)
         select mails.id, mails.claim_no, Jobs.lock_by, Jobs.lock_at * 1000000,
                max(0, (?1 - Jobs.lock_at * 1000000) / 1000), '', 0,
                iif(mails.dot_claim_no is mails.claim_no, 'dot', 'unknown'),
                iif(mails.dot_claim_no is mails.claim_no,
                    'the worker died after it had put on record that the final dot was about to be written: the relay may have accepted the mail',
                    'the worker died before the final dot: the relay has not accepted the mail'),
                iif(mails.dot_claim_no is mails.claim_no, 'cut_off', 'worker_died')
         from Jobs join mails on mails.id = Jobs.id
         where +Jobs.status = 'Running' and +mails.state = 'sending'
           and Jobs.lock_by in (select value from json_each(?2))",
        now,
        dead
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// The mails, and the ids of those that wait and that one more dead worker would be too many for.
async fn take_back_mails(
    connection: &mut SqliteConnection,
    dead: &str,
    now: Timestamp,
) -> Result<(Vec<Rescued>, Vec<String>), StoreError> {
    let now = micros(now);
    let (crashes, cut_offs) = (i64::from(MAX_CRASHES), i64::from(MAX_CUT_OFFS));
    let (poison, undeliverable, waiting) = (
        MailState::Poison.as_str(),
        MailState::Undeliverable.as_str(),
        MailState::Waiting.as_str(),
    );
    let (once, twice) = (maybe_delivered(1), maybe_delivered(MAX_CUT_OFFS));
    let rows = sqlx::query!(
        r#"update mails set
             crashes = crashes + 1,
             cut_offs = cut_offs + (dot_claim_no is claim_no),
             state = case
                 when cut_offs + (dot_claim_no is claim_no) >= ?1 then ?4
                 when crashes + 1 >= ?2 then ?3
                 else ?5 end,
             finished_at = case
                 when cut_offs + (dot_claim_no is claim_no) >= ?1 or crashes + 1 >= ?2 then ?6
                 else null end,
             recipient = iif(forget_as is not null and (
                 cut_offs + (dot_claim_no is claim_no) >= ?1 or crashes + 1 >= ?2), '', recipient),
             recipient_key = iif(forget_as is not null and (
                 cut_offs + (dot_claim_no is claim_no) >= ?1 or crashes + 1 >= ?2), forget_as, recipient_key),
             reason = case
                 when cut_offs + (dot_claim_no is claim_no) >= ?1
                     then ?9
                 when crashes + 1 >= ?2 and cut_offs + (dot_claim_no is claim_no) > 0
                     then 'three workers died with it in hand; ' || ?8
                 when crashes + 1 >= ?2 then 'three workers died with it in hand'
                 else 'its worker died; waits for another' end
           where +state = 'sending' and id in (
               select id from Jobs where +status = 'Running' and lock_by in (select value from json_each(?7)))
           returning id, kind, state, crashes"#,
        cut_offs,
        crashes,
        poison,
        undeliverable,
        waiting,
        now,
        dead,
        once,
        twice
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let is_suspect = |state: &str, died: i64| state == waiting && died + 1 >= crashes;
    let suspects = (rows.iter())
        .filter(|row| is_suspect(&row.state, row.crashes))
        .map(|row| row.id.clone())
        .collect();
    let rescued = rows
        .into_iter()
        .map(|row| {
            Ok(Rescued {
                mail: row.id.parse().map_err(unreadable)?,
                kind: row.kind,
                state: row.state.parse().map_err(unreadable)?,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok((rescued, suspects))
}

async fn give_back_jobs(
    connection: &mut SqliteConnection,
    dead: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = now.as_second();
    sqlx::query!(
        "update Jobs set
             status = case (select state from mails where mails.id = Jobs.id)
                 when 'waiting' then 'Pending' when 'undeliverable' then 'Failed' else 'Killed' end,
             done_at = case (select state from mails where mails.id = Jobs.id)
                 when 'waiting' then null else ?1 end,
             lock_by = null, lock_at = null
         where lock_by in (select value from json_each(?2))",
        now,
        dead
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Has mails come due one by one, a second apart.
async fn set_apart(
    connection: &mut SqliteConnection,
    mails: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    if mails.len() < 2 {
        return Ok(());
    }
    let due: Vec<(&String, i64)> = mails.iter().zip(now.as_second()..).collect();
    let due = serde_json::to_string(&due).map_err(unreadable)?;
    sqlx::query!(
        "update mails set again_at = (j.value ->> 1) * 1000000
         from json_each(?) as j where mails.id = j.value ->> 0",
        due
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update Jobs set run_at = j.value ->> 1 from json_each(?) as j where Jobs.id = j.value ->> 0",
        due
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
