//! Looking after mails that nobody claims: because relays are out of order, because the worker that has
//! their key is away, or because the clock was set back.

use async_trait::async_trait;
use domain::id::MailId;
use domain::mail::{
    Lane, MAX_CUT_OFFS, MailState, NOTICE_LIFE, Priority, longest_pause, maybe_delivered,
};
use domain::otp::KeyId;
use domain::queue::{Expired, Keys, Tended};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::claim::{key_list, set_strangers_aside};
use super::{OUT_OF_REACH, QUEUE, QueueWrite, ranks};
use crate::access::micros;
use crate::error::{store_error, unreadable};

/// Mails of one kind that one transaction looks after at most, so that nobody waits long for the lock.
const BATCH: i64 = 200;

/// A mail that was asked for further in the future than this was not asked for in the future.
const CLOCK_SLACK: i64 = 1_000_000;

pub(super) struct Tend {
    pub(super) keys: Keys,
    pub(super) now: Timestamp,
}

#[async_trait]
impl QueueWrite for Tend {
    type Out = Tended;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Tended, StoreError> {
        let found = Found::look(connection, &self.keys, self.now).await?;
        if !found.strangers.is_empty() {
            let list = serde_json::to_string(&found.strangers).map_err(unreadable)?;
            set_strangers_aside(connection, &list, self.now).await?;
        }
        Ok(Tended {
            expired: expire(connection, found.over, self.now).await?,
            hastened: hasten(connection, found.stranded, self.now).await?,
            lacking: explain(connection, found.lacking).await?,
        })
    }
}

/// What there is to look after. Looked for on a reading connection first: nearly always it is nothing, and the
/// lock is not taken for that.
pub(super) struct Found {
    over: Vec<String>,
    stranded: Vec<String>,
    /// Each with the key that it waits for.
    lacking: Vec<(String, String)>,
    /// Jobs that no mail belongs to, of a priority that no mail has: no claim finds them.
    strangers: Vec<String>,
}

impl Found {
    pub(super) async fn look(
        connection: &mut SqliteConnection,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            over: over(connection, now).await?,
            stranded: stranded(connection, now).await?,
            lacking: lacking(connection, keys, now).await?,
            strangers: strangers(connection).await?,
        })
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.over.is_empty()
            && self.stranded.is_empty()
            && self.lacking.is_empty()
            && self.strangers.is_empty()
    }
}

/// Looked for priority by priority, so that the many jobs of known ones cost nothing. A newer version may know others:
/// its mails stay.
async fn strangers(connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    let ranks = serde_json::to_string(&ranks(&Lane::ALL)).map_err(unreadable)?;
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
        BATCH
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)
}

/// Mails whose time was over before anybody could claim them. A notice's is over after a day.
async fn over(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let (too_old, now) = (micros(now - NOTICE_LIFE), micros(now));
    sqlx::query_scalar!(
        "select Jobs.id from (
               select id from mails indexed by mails_by_deadline
               where finished_at is null and deadline_at is not null and deadline_at <= ?1
                 and state in ('queued', 'waiting')
               union all
               select id from mails
               where state in ('queued', 'waiting') and created_at < ?2 and deadline_at is null) as over
           cross join Jobs on Jobs.id = over.id
           where Jobs.status = 'Pending' and Jobs.lock_by is null limit ?3",
        now,
        too_old,
        BATCH
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)
}

async fn expire(
    connection: &mut SqliteConnection,
    over: Vec<String>,
    now: Timestamp,
) -> Result<Vec<Expired>, StoreError> {
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let list = serde_json::to_string(&over).map_err(unreadable)?;
    let (seconds, now) = (now.as_second(), micros(now));
    let state = MailState::Expired.as_str();
    let (once, twice) = (maybe_delivered(1), maybe_delivered(MAX_CUT_OFFS));
    let expired = sqlx::query!(
        "update mails set
             state = ?1, finished_at = ?2, again_at = null,
             reason = 'its time was over'
                 || iif(reason is null, ' before a worker could send it', ' while it waited: ' || reason)
                 || case cut_offs when 0 then '' when 1 then '; ' || ?3 else '; ' || ?4 end,
             recipient = iif(forget_as is null, recipient, ''),
             recipient_key = coalesce(forget_as, recipient_key)
         where id in (select value from json_each(?5))
         returning id, kind",
        state,
        now,
        once,
        twice,
        list
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        r#"update Jobs set status = 'Failed', done_at = ?1, last_result = '{"Err":"its time was over"}'
           where id in (select value from json_each(?2))"#,
        seconds,
        list
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    expired
        .into_iter()
        .map(|row| {
            Ok(Expired {
                mail: row.id.parse().map_err(unreadable)?,
                kind: row.kind,
            })
        })
        .collect()
}

/// Mails that wait for a time which no schedule gave them: it was written before the clock was set back. One that
/// was never tried is due from its request on; one that waits, after the longest pause.
async fn stranded(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let seconds = now.as_second();
    let asked = micros(now) + CLOCK_SLACK;
    let [code, notice] =
        [Priority::Code, Priority::Notice].map(|priority| micros(now + longest_pause(priority)));
    sqlx::query_scalar!(
        r#"select id as "id!" from (
               select mails.id from mails
               where mails.state = 'queued' and mails.created_at > ?1
               union all
               select mails.id from mails indexed by mails_waiting
               where state = 'waiting' and held_run_at is null
                 and (deadline_at is null) = 0 and again_at > ?2
               union all
               select mails.id from mails indexed by mails_waiting
               where state = 'waiting' and held_run_at is null
                 and (deadline_at is null) = 1 and again_at > ?3
               union all
               select mails.id from mails indexed by mails_waiting
               where state = 'waiting' and held_run_at is null
                 and (deadline_at is null) in (0, 1) and again_at is null) as stranded
           where exists (select 1 from Jobs where Jobs.id = stranded.id
                           and Jobs.run_at > ?4 and Jobs.run_at < ?6
                           and Jobs.status = 'Pending' and Jobs.lock_by is null)
           limit ?5"#,
        asked,
        code,
        notice,
        seconds,
        BATCH,
        OUT_OF_REACH
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)
}

async fn hasten(
    connection: &mut SqliteConnection,
    stranded: Vec<String>,
    now: Timestamp,
) -> Result<Vec<MailId>, StoreError> {
    if stranded.is_empty() {
        return Ok(Vec::new());
    }
    let list = serde_json::to_string(&stranded).map_err(unreadable)?;
    let seconds = now.as_second();
    sqlx::query!(
        "update Jobs set run_at = ? where id in (select value from json_each(?))",
        seconds,
        list
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update mails set again_at = null where id in (select value from json_each(?))",
        list
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    mail_ids(stranded)
}

/// Due mails whose code needs a key that is not among `keys`, and that don't say so yet. The oldest are looked
/// at: where somebody has the key, they don't stay.
async fn lacking(
    connection: &mut SqliteConnection,
    keys: &Keys,
    now: Timestamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let Some(keys) = key_list(keys)? else {
        return Ok(Vec::new());
    };
    let mut lacking = Vec::new();
    for lane in Lane::ALL {
        let rank = Priority::Code.rank_in(lane);
        lacking.extend(lacking_of(connection, rank, &keys, now).await?);
    }
    Ok(lacking)
}

async fn lacking_of(
    connection: &mut SqliteConnection,
    rank: i64,
    keys: &str,
    now: Timestamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let (seconds, now) = (now.as_second(), micros(now));
    let rows = sqlx::query!(
        "select mails.id, challenges.key_id
         from (select id from Jobs indexed by idx_jobs_pending
               where job_type = ?3 and status = 'Pending' and lock_by is null and priority = ?4
                 and run_at <= ?5
               order by run_at limit ?6) as due
         cross join mails on mails.id = due.id
         cross join challenges on challenges.id = mails.challenge_id
         where mails.state in ('queued', 'waiting')
           and challenges.used_at is null and challenges.ended_at is null
           and challenges.superseded_at is null and challenges.decoy = 0 and challenges.expires_at > ?1
           and challenges.key_id not in (select value from json_each(?2))
           and coalesce(mails.reason, '') <> 'waits for a worker that has the secret key '
               || challenges.key_id || ', which makes its code'",
        now,
        keys,
        QUEUE,
        rank,
        seconds,
        BATCH
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(rows.into_iter().map(|row| (row.id, row.key_id)).collect())
}

/// Lets mails say that they wait for a worker that has their key.
async fn explain(
    connection: &mut SqliteConnection,
    lacking: Vec<(String, String)>,
) -> Result<Vec<(MailId, KeyId)>, StoreError> {
    if lacking.is_empty() {
        return Ok(Vec::new());
    }
    let list = serde_json::to_string(&lacking).map_err(unreadable)?;
    sqlx::query!(
        "update mails set state = 'waiting',
             reason = 'waits for a worker that has the secret key ' || (j.value ->> 1)
                 || ', which makes its code'
         from json_each(?) as j where mails.id = j.value ->> 0",
        list
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    lacking
        .into_iter()
        .map(|(id, key)| Ok((id.parse().map_err(unreadable)?, key.into())))
        .collect()
}

fn mail_ids(ids: Vec<String>) -> Result<Vec<MailId>, StoreError> {
    ids.into_iter()
        .map(|id| id.parse().map_err(unreadable))
        .collect()
}
