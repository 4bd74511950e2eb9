//! Claiming: as many due mails as the worker has free hands, the most urgent first.

use std::error::Error;
use std::time::Duration;

use domain::mail::Priority;
use domain::operator::Suppression;
use domain::otp::{CodeSeed, KeyId};
use domain::queue::{ChallengeLife, Claim, Claimed, Keys, MailChallenge};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::pause::{Paused, hold, paused};
use super::{QUEUE, sign_of_life, whole_second};
use crate::access::{micros, time};
use crate::challenges::{form, owner};
use crate::error::{store_error, unreadable};
use crate::operator::SuppressionRow;

/// Why a mail that this version can't read waits, and for how long.
const UNREADABLE: &str = "this version of the worker can't read it";
const UNREADABLE_PAUSE: Duration = Duration::from_mins(1);

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    worker: &str,
    limit: u32,
    keys: &Keys,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let paused = paused(connection).await?;
    if matches!(paused, Paused::All) {
        return Ok(Vec::new());
    }
    let keys = key_list(keys)?;
    let mut ids = Vec::new();
    for priority in Priority::ORDER {
        let free = i64::from(limit) - i64::try_from(ids.len()).unwrap_or(i64::MAX);
        if free <= 0 {
            break;
        }
        if let Paused::Kinds(kinds) = &paused
            && !hold(connection, kinds, priority, free, now.as_second()).await?
        {
            continue;
        }
        ids.extend(lock_jobs(connection, worker, priority, free, keys.as_deref(), now).await?);
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let asked = ids.len() as u64;
    let ids = serde_json::to_string(&ids).map_err(unreadable)?;
    let ours = sqlx::query!(
        "update mails set claim_no = claim_no + 1, state = 'sending', again_at = null
         where id in (select value from json_each(?)) and finished_at is null",
        ids
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    if ours.rows_affected() < asked {
        set_strangers_aside(connection, &ids, now).await?;
    }
    load(connection, &ids, now).await
}

/// The keys as the statements read them; null stands for all.
pub(super) fn key_list(keys: &Keys) -> Result<Option<String>, StoreError> {
    let Keys::Only(keys) = keys else {
        return Ok(None);
    };
    let keys: Vec<&str> = keys.iter().map(KeyId::as_str).collect();
    serde_json::to_string(&keys).map(Some).map_err(unreadable)
}

/// Takes jobs of one class. With the class named, the index leads straight to those that are due,
/// however many wait for a later time. A mail whose live code needs a key that is not among `keys` is left
/// for a worker that has it; there is nothing to derive for a dead one.
async fn lock_jobs(
    connection: &mut SqliteConnection,
    worker: &str,
    priority: Priority,
    limit: i64,
    keys: Option<&str>,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let rank = i64::from(priority.rank());
    let (seconds, at) = (now.as_second(), micros(now));
    let ids = sqlx::query_scalar!(
        r#"select json_group_array(due.id) as "ids!: String" from (
               select id from Jobs indexed by idx_jobs_pending
               where job_type = ?1 and status = 'Pending' and lock_by is null and priority = ?2 and run_at <= ?3
                 and (?5 is null or not exists (
                         select 1 from mails join challenges on challenges.id = mails.challenge_id
                         where mails.id = Jobs.id and challenges.used_at is null and challenges.ended_at is null
                           and challenges.superseded_at is null and challenges.expires_at > ?6
                           and challenges.key_id not in (select value from json_each(?5))))
               order by run_at, id limit ?4 + 0) as due"#,
        QUEUE,
        rank,
        seconds,
        limit,
        keys,
        at
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(store_error)?;
    let due: Vec<String> = serde_json::from_str(&ids).map_err(unreadable)?;
    if due.is_empty() {
        return Ok(due);
    }
    sign_of_life(connection, worker, now).await?;
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

/// Everything the handlers need, in one statement.
async fn load(
    connection: &mut SqliteConnection,
    ids: &str,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    let at = micros(now);
    let rows = sqlx::query_as!(
        ClaimedRow,
        r#"select mails.id, mails.claim_no, mails.kind, mails.recipient, mails.request_id,
                  mails.created_at, mails.deadline_at, mails.tries, mails.cut_offs,
                  challenges.id as "challenge_id?", challenges.registration_id as "registration_id?",
                  challenges.user_id as "challenge_user_id?",
                  challenges.purpose as "purpose?", challenges.generation as "generation?",
                  challenges.nonce as "nonce?", challenges.key_id as "key_id?",
                  challenges.long_code as "long_code?",
                  challenges.expires_at as "expires_at?", challenges.superseded_at, challenges.used_at,
                  challenges.ended_at, coalesce(registrations.username, users.username) as "username?: String",
                  suppressions.since_at as "since_at?", suppressions.until_at as "until_at?",
                  suppressions.mail_id as "refused_mail?", suppressions.relay as "relay?",
                  suppressions.code as "code?", suppressions.enhanced as "enhanced?",
                  suppressions.text as "text?"
           from json_each(?1) as claimed
           cross join mails on mails.id = claimed.value
           left join challenges on challenges.id = mails.challenge_id
           left join registrations on registrations.id = challenges.registration_id
           left join users on users.id = challenges.user_id
           left join suppressions
                on suppressions.recipient_key = mails.recipient_key and suppressions.until_at > ?2
           where +mails.state = 'sending'"#,
        ids,
        at
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.id.clone();
        match row.read(now) {
            Ok(mail) => claimed.push(mail),
            Err(error) => {
                tracing::error!(
                    mail.id = id,
                    error = &error as &dyn Error,
                    "a mail can't be read"
                );
                put_off(connection, &id, now).await?;
            }
        }
    }
    Ok(claimed)
}

/// A mail that this version can't read, written by a newer one perhaps, must not hold up the others.
async fn put_off(
    connection: &mut SqliteConnection,
    id: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let run_at = whole_second(now + UNREADABLE_PAUSE);
    let again_at = run_at * 1_000_000;
    sqlx::query!(
        "update mails set state = 'waiting', again_at = ?, reason = ? where id = ?",
        again_at,
        UNREADABLE,
        id
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update Jobs set status = 'Pending', lock_by = null, lock_at = null, run_at = ?,
             attempts = attempts - 1
         where id = ?",
        run_at,
        id
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// A claimed mail with its challenge, as columns.
struct ClaimedRow {
    id: String,
    claim_no: i64,
    kind: String,
    recipient: String,
    request_id: String,
    created_at: i64,
    deadline_at: Option<i64>,
    tries: i64,
    cut_offs: i64,
    challenge_id: Option<String>,
    registration_id: Option<String>,
    challenge_user_id: Option<i64>,
    purpose: Option<String>,
    generation: Option<i64>,
    nonce: Option<Vec<u8>>,
    key_id: Option<String>,
    long_code: Option<i64>,
    expires_at: Option<i64>,
    superseded_at: Option<i64>,
    used_at: Option<i64>,
    ended_at: Option<i64>,
    username: Option<String>,
    since_at: Option<i64>,
    until_at: Option<i64>,
    refused_mail: Option<String>,
    relay: Option<String>,
    code: Option<i64>,
    enhanced: Option<String>,
    text: Option<String>,
}

impl ClaimedRow {
    fn read(self, now: Timestamp) -> Result<Claimed, StoreError> {
        Ok(Claimed {
            claim: Claim {
                mail: self.id.parse().map_err(unreadable)?,
                number: u32::try_from(self.claim_no).map_err(unreadable)?,
            },
            kind: self.kind.parse().map_err(unreadable)?,
            challenge: self.challenge(now)?,
            suppressed: self.suppressed()?,
            to: self.recipient,
            request_id: self.request_id,
            created: time(self.created_at),
            deadline: self.deadline_at.map(time),
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
            cut_offs: u32::try_from(self.cut_offs).unwrap_or(u32::MAX),
        })
    }

    fn suppressed(&self) -> Result<Option<Suppression>, StoreError> {
        let (Some(since_at), Some(until_at), Some(mail_id)) =
            (self.since_at, self.until_at, &self.refused_mail)
        else {
            return Ok(None);
        };
        let row = SuppressionRow {
            since_at,
            until_at,
            mail_id: mail_id.clone(),
            relay: self.relay.clone().unwrap_or_default(),
            code: self.code,
            enhanced: self.enhanced.clone(),
            text: self.text.clone().unwrap_or_default(),
        };
        row.read().map(Some)
    }

    fn challenge(&self, now: Timestamp) -> Result<Option<MailChallenge>, StoreError> {
        let owner = owner(self.registration_id.as_deref(), self.challenge_user_id)?;
        let (Some(id), Some(owner), Some(purpose), Some(key), Some(nonce)) = (
            &self.challenge_id,
            owner,
            &self.purpose,
            &self.key_id,
            &self.nonce,
        ) else {
            return Ok(None);
        };
        Ok(Some(MailChallenge {
            id: id.parse().map_err(unreadable)?,
            seed: CodeSeed {
                key: key.clone().into(),
                purpose: purpose.parse().map_err(unreadable)?,
                subject: owner.subject(),
                generation: self.generation.unwrap_or(0),
                nonce: nonce.as_slice().try_into().map_err(unreadable)?,
                form: form(self.long_code.unwrap_or(0)),
            },
            username: self.username.clone().unwrap_or_default(),
            life: life(
                self.used_at,
                self.ended_at,
                self.superseded_at,
                self.expires_at.unwrap_or(0),
                now,
            ),
        }))
    }
}

/// What a challenge's columns say of its life. Being used says more than being expired.
pub(crate) fn life(
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
