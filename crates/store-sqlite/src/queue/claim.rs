//! Claiming: as many due mails as the worker has free hands, the most urgent first.

use domain::id::MailId;
use domain::mail::Priority;
use domain::queue::{ChallengeLife, Claim, Claimed, MailChallenge};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{QUEUE, sign_of_life};
use crate::access::{micros, time};
use crate::challenges::seed;
use crate::error::{store_error, unreadable};

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    worker: &str,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    let mut ids = Vec::new();
    for priority in Priority::ORDER {
        let free = i64::from(limit) - i64::try_from(ids.len()).unwrap_or(i64::MAX);
        if free <= 0 {
            break;
        }
        ids.extend(lock_jobs(connection, worker, priority, free, now).await?);
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = serde_json::to_string(&ids).map_err(unreadable)?;
    sqlx::query!(
        "update mails set claim_no = claim_no + 1, state = 'sending', again_at = null
         where id in (select value from json_each(?)) and finished_at is null",
        ids
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    set_strangers_aside(connection, &ids, now).await?;
    load(connection, &ids, now).await
}

/// Takes jobs of one class. With the class named, the index leads straight to those that are due,
/// however many wait for a later time.
async fn lock_jobs(
    connection: &mut SqliteConnection,
    worker: &str,
    priority: Priority,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let rank = i64::from(priority.rank());
    let seconds = now.as_second();
    let due = sqlx::query_scalar!(
        "select id from Jobs indexed by idx_jobs_pending
         where job_type = ?1 and status = 'Pending' and lock_by is null and priority = ?2 and run_at <= ?3
         order by run_at, id limit ?4",
        QUEUE,
        rank,
        seconds,
        limit
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    if due.is_empty() {
        return Ok(due);
    }
    sign_of_life(connection, worker, now).await?;
    let ids = serde_json::to_string(&due).map_err(unreadable)?;
    sqlx::query!(
        "update Jobs set status = 'Running', lock_by = ?1, lock_at = ?2, attempts = attempts + 1
         where id in (select value from json_each(?3))",
        worker,
        seconds,
        ids
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    Ok(due)
}

/// A job whose mail we don't know, or that is over, was put there by somebody else: set aside, never run.
async fn set_strangers_aside(
    connection: &mut SqliteConnection,
    ids: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seconds = now.as_second();
    let set_aside = sqlx::query!(
        r#"update Jobs set status = 'Killed', lock_by = null, lock_at = null, done_at = ?1,
               last_result = '{"Err":"no mail of this id waits"}'
           where id in (select value from json_each(?2))
             and not exists (select 1 from mails where mails.id = Jobs.id and mails.state = 'sending')"#,
        seconds,
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    if set_aside.rows_affected() > 0 {
        tracing::error!(
            jobs = set_aside.rows_affected(),
            "jobs without a mail were set aside: something else writes into this queue"
        );
    }
    Ok(())
}

async fn load(
    connection: &mut SqliteConnection,
    ids: &str,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    let rows = sqlx::query!(
        r#"select mails.id, mails.claim_no, mails.kind, mails.recipient, mails.request_id,
                  mails.created_at, mails.deadline_at, mails.tries, mails.cut_offs,
                  challenges.id as "challenge_id?", challenges.registration_id as "registration_id?",
                  challenges.purpose as "purpose?", challenges.generation as "generation?",
                  challenges.nonce as "nonce?", challenges.key_id as "key_id?",
                  challenges.expires_at as "expires_at?", challenges.superseded_at, challenges.used_at,
                  challenges.ended_at, registrations.username as "username?"
           from json_each(?) as claimed
           join mails on mails.id = claimed.value
           left join challenges on challenges.id = mails.challenge_id
           left join registrations on registrations.id = challenges.registration_id
           where mails.state = 'sending'"#,
        ids
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let challenge = match (
                row.challenge_id,
                row.registration_id,
                row.purpose,
                row.key_id,
            ) {
                (Some(id), Some(attempt), Some(purpose), Some(key)) => Some(MailChallenge {
                    id: id.parse().map_err(unreadable)?,
                    seed: seed(
                        &key,
                        &purpose,
                        &attempt,
                        row.generation.unwrap_or(0),
                        &row.nonce.unwrap_or_default(),
                    )?,
                    username: row.username.unwrap_or_default(),
                    life: life(
                        row.used_at,
                        row.ended_at,
                        row.superseded_at,
                        row.expires_at.unwrap_or(0),
                        now,
                    ),
                }),
                _ => None,
            };
            Ok(Claimed {
                claim: Claim {
                    mail: row.id.parse::<MailId>().map_err(unreadable)?,
                    number: u32::try_from(row.claim_no).map_err(unreadable)?,
                },
                kind: row.kind.parse().map_err(unreadable)?,
                to: row.recipient,
                request_id: row.request_id,
                created: time(row.created_at),
                deadline: row.deadline_at.map(time),
                tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
                cut_offs: u32::try_from(row.cut_offs).unwrap_or(u32::MAX),
                challenge,
            })
        })
        .collect()
}

/// What a challenge's columns say of its life. Being used says more than being expired.
pub(super) fn life(
    used_at: Option<i64>,
    ended_at: Option<i64>,
    superseded_at: Option<i64>,
    expires_at: i64,
    now: Timestamp,
) -> ChallengeLife {
    if used_at.is_some() {
        ChallengeLife::Used
    } else if ended_at.is_some() {
        ChallengeLife::Ended
    } else if expires_at <= micros(now) {
        ChallengeLife::Expired
    } else if superseded_at.is_some() {
        ChallengeLife::Replaced
    } else {
        ChallengeLife::Live
    }
}
