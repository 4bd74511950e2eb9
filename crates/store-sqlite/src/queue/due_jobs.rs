//! Finding due jobs of one class: by the index of pending jobs, from either end; and those that suit a trial.

use domain::mail::MailKind;
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::QUEUE;
use crate::access::micros;
use crate::error::{store_error, unreadable};

/// From which end due jobs of one class are taken.
#[derive(Clone, Copy)]
pub(super) enum From {
    Oldest,
    Newest,
    /// Those of the newest that were asked for last.
    NewestRequest,
    /// The oldest, where each earlier claim of a mail counts as if it had come due half a minute later: those that
    /// have had their turn again and again don't keep a newer one waiting.
    LeastClaimed,
}

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

/// Finds due jobs of one class, as a list of ids in JSON.
pub(super) async fn due_jobs(
    connection: &mut SqliteConnection,
    rank: i64,
    from: From,
    limit: i64,
    keys: Option<&str>,
    now: Timestamp,
) -> Result<String, StoreError> {
    let compared = limit + COMPARED;
    let found = match from {
        From::Oldest => due_jobs!("order by run_at, id", rank, limit, keys, now),
        From::Newest => due_jobs!("order by run_at desc, id desc", rank, limit, keys, now),
        From::NewestRequest => {
            due_jobs!("order by run_at desc, id desc", rank, compared, keys, now)
        }
        From::LeastClaimed => due_jobs!("order by run_at, id", rank, compared, keys, now),
    };
    let found = found
        .fetch_one(&mut *connection)
        .await
        .map_err(store_error)?;
    match from {
        From::Oldest | From::Newest => Ok(found),
        From::NewestRequest => newest_of(&found, limit),
        From::LeastClaimed => least_claimed_of(connection, &found, limit).await,
    }
}

/// Ids grow with time.
fn newest_of(ids: &str, limit: i64) -> Result<String, StoreError> {
    let mut ids: Vec<String> = serde_json::from_str(ids).map_err(unreadable)?;
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    serde_json::to_string(&ids).map_err(unreadable)
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
    limit: i64,
    keys: Option<&str>,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
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
    .map_err(store_error)
}
