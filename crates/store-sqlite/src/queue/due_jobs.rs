//! Finding due jobs of one class: by the index of pending jobs, from either end; and those that suit a trial.

use domain::mail::MailKind;
use domain::queue::port::{DueJobs, Order};
use domain::queue::{JobId, Keys};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{OUT_OF_REACH, QUEUE, job_ids, json, key_list};
use crate::error::{store_error, unreadable};
use crate::executor::micros;

/// Finds due jobs of one class in an order. With the class named, the index leads straight to those that are due,
/// however many wait for a later time. A mail whose live code needs a key that is not among `keys` is left for a worker
/// that has it; there is nothing to derive for a dead one.
macro_rules! due_jobs {
    ($order:literal, $rank:expr, $limit:expr, $keys:expr, $now:expr) => {{
        let (seconds, at) = ($now.as_second(), micros($now));
        sqlx::query_scalar!(
            r#"select json_group_array(due.id) as "ids!: String" from (
                   select id from Jobs indexed by idx_jobs_pending
                   where job_type = ?1 and status = 'Pending' and lock_by is null and priority = ?2 and run_at <= ?3
                     and (?5 is null or not exists (
                             select 1 from mails join challenges on challenges.id = mails.challenge_id
                             where mails.id = Jobs.id and challenges.used_at is null and challenges.ended_at is null
                               and challenges.superseded_at is null and challenges.decoy = 0
                               and challenges.expires_at > ?6
                               and challenges.key_id not in (select value from json_each(?5)))) "#
                + $order
                + " limit ?4 + 0) as due",
            QUEUE,
            $rank,
            seconds,
            $limit,
            $keys,
            at
        )
    }};
}

/// So many are compared where the index does not give the order.
const COMPARED: i64 = 256;

/// Finds due jobs of one class.
pub(super) async fn due_jobs(
    connection: &mut SqliteConnection,
    due: &DueJobs<'_>,
) -> Result<Vec<JobId>, StoreError> {
    let (rank, now, keys) = (due.rank, due.now, key_list(due.keys)?);
    let limit = i64::from(due.limit);
    let compared = limit + COMPARED;
    let found = match due.order {
        Order::Oldest => due_jobs!("order by run_at, id", rank, limit, keys, now),
        Order::Newest => due_jobs!("order by run_at desc, id desc", rank, limit, keys, now),
        Order::NewestRequest => {
            due_jobs!("order by run_at desc, id desc", rank, compared, keys, now)
        }
        Order::LeastClaimed => due_jobs!("order by run_at, id", rank, compared, keys, now),
    };
    let found = found
        .fetch_one(&mut *connection)
        .await
        .map_err(store_error)?;
    match due.order {
        Order::Oldest | Order::Newest => job_ids(&found),
        Order::NewestRequest => {
            let mut jobs = job_ids(&found)?;
            // Ids grow with time.
            jobs.sort_unstable_by(|one, other| other.cmp(one));
            jobs.truncate(due.limit as usize);
            Ok(jobs)
        }
        Order::LeastClaimed => {
            let least = least_claimed_of(connection, &found, limit).await?;
            job_ids(&least)
        }
    }
}

async fn least_claimed_of(
    connection: &mut SqliteConnection,
    ids: &str,
    limit: i64,
) -> Result<String, StoreError> {
    sqlx::query_scalar!(
        r#"select json_group_array(due.id) as "ids!: String" from (
               select Jobs.id from json_each(?1) as one cross join Jobs on Jobs.id = one.value
               left join mails on mails.id = Jobs.id
               order by Jobs.run_at + 30 * coalesce(mails.claim_no, 0), Jobs.id limit ?2) as due"#,
        ids,
        limit
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)
}

/// Finds the newest due jobs of mails of some kind that have never been tried. Not the oldest: a relay may be out of order
/// because it hangs at the recipients of a whole backlog.
pub(super) async fn untried(
    connection: &mut SqliteConnection,
    kind: MailKind,
    limit: u32,
    keys: &Keys,
    now: Timestamp,
) -> Result<Vec<JobId>, StoreError> {
    let keys = key_list(keys)?;
    let (kind, rank) = (kind.as_str(), i64::from(kind.priority().rank()));
    let (seconds, at) = (now.as_second(), micros(now));
    sqlx::query_scalar!(
        "select mails.id from mails indexed by mails_by_state_and_kind
         cross join Jobs on Jobs.id = mails.id
         where mails.state = 'queued' and mails.kind = ?1 and mails.created_at <= ?6
           and +Jobs.status = 'Pending' and +Jobs.lock_by is null and +Jobs.priority = ?2 and +Jobs.run_at <= ?3
           and (?5 is null or not exists (
                   select 1 from challenges
                   where challenges.id = mails.challenge_id and challenges.used_at is null
                     and challenges.ended_at is null and challenges.superseded_at is null
                     and challenges.decoy = 0 and challenges.expires_at > ?6
                     and challenges.key_id not in (select value from json_each(?5))))
         order by mails.created_at desc limit ?4",
        kind,
        rank,
        seconds,
        limit,
        keys,
        at
    )
    .fetch_all(connection)
    .await
    .map(|ids| ids.into_iter().map(JobId).collect())
    .map_err(store_error)
}

/// When the first job of each rank is due. The condition on keys is that of the claim.
pub(super) async fn first_due(
    connection: &mut SqliteConnection,
    ranks: &[i64],
    keys: &Keys,
    now: Timestamp,
) -> Result<Option<Vec<Option<Timestamp>>>, StoreError> {
    let (ranks, keys, at) = (json(ranks)?, key_list(keys)?, micros(now));
    let row = sqlx::query!(
        r#"select json_group_array((
                      select run_at from Jobs indexed by idx_jobs_pending
                      where job_type = ?1 and status = 'Pending' and lock_by is null and priority = rank.value
                        and (?3 is null or not exists (
                                select 1 from mails join challenges on challenges.id = mails.challenge_id
                                where mails.id = Jobs.id and challenges.used_at is null
                                  and challenges.ended_at is null and challenges.superseded_at is null
                                  and challenges.decoy = 0 and challenges.expires_at > ?4
                                  and challenges.key_id not in (select value from json_each(?3))))
                      order by run_at limit 1)) as "firsts!: String",
                  exists (select 1 from pauses where kind = '' and ended_at is null) as "paused!: bool"
           from json_each(?2) as rank"#,
        QUEUE,
        ranks,
        keys,
        at
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    if row.paused {
        return Ok(None);
    }
    let firsts: Vec<Option<i64>> = serde_json::from_str(&row.firsts).map_err(unreadable)?;
    let time = |at: Option<i64>| {
        let at = at.filter(|at| *at < OUT_OF_REACH)?;
        Timestamp::from_second(at).ok()
    };
    Ok(Some(firsts.into_iter().map(time).collect()))
}
