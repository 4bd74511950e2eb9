//! Registered processes, the relay status that workers post, and the depth of the queue.

use async_trait::async_trait;
use domain::id::UserId;
use domain::mail::{Lane, MailState};
use domain::otp::KeyId;
use domain::processes::{
    Heartbeat, KeyNeed, Process, ProcessRegistry, QueueDepth, ReadProcesses, RestoreShown,
    RunningProcess,
};
use domain::queue::due::ranks;
use domain::relay::{PostedRelayStatus, RelayStatus};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::clock_skew;
use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros, time};
use crate::queue::{QUEUE, json, sign_of_life};

#[async_trait]
impl<C: ConnectionGuard> ReadProcesses for Executor<C> {
    async fn processes(&mut self) -> Result<Vec<RunningProcess>, StoreError> {
        let rows = sqlx::query!(
            "select id, kind, version, keys, started_at, seen_at, remark from processes order by started_at, id"
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                let keys: Vec<String> = serde_json::from_str(&row.keys).map_err(unreadable)?;
                Ok(RunningProcess {
                    process: Process {
                        id: row.id,
                        kind: row.kind.parse().map_err(unreadable)?,
                        version: row.version,
                        keys: keys.into_iter().map(Into::into).collect(),
                        started: time(row.started_at),
                        remark: row.remark,
                    },
                    seen: time(row.seen_at),
                })
            })
            .collect()
    }

    async fn queue_depth(&mut self, now: Timestamp) -> Result<QueueDepth, StoreError> {
        let rows = sqlx::query!(
            "select state, count(*) as mails from mails indexed by mails_by_state
             where state in ('queued', 'sending', 'waiting') group by state"
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        let of = |state: &MailState| {
            let row = rows.iter().find(|row| row.state == state.as_str());
            row.map_or(0, |row| u64::try_from(row.mails).unwrap_or_default())
        };
        let living = MailState::ALL.into_iter().filter(|state| !state.is_final());
        Ok(QueueDepth {
            states: living.map(|state| (state, of(&state))).collect(),
            due_since: due_since(&mut self.0, now).await?,
        })
    }

    async fn keys_needed(&mut self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError> {
        let now = micros(now);
        let rows = sqlx::query!(
            r#"select challenges.key_id as "key_id!", count(*) as mails, min(mails.created_at) as "oldest!: i64"
               from mails indexed by mails_by_state join challenges on challenges.id = mails.challenge_id
               where mails.state in ('queued', 'waiting') and challenges.used_at is null
                 and challenges.ended_at is null and challenges.superseded_at is null and challenges.decoy = 0
                 and challenges.expires_at > ?
               group by challenges.key_id order by challenges.key_id"#,
            now
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| KeyNeed {
                key: row.key_id.into(),
                mails: u64::try_from(row.mails).unwrap_or_default(),
                oldest: time(row.oldest),
            })
            .collect())
    }

    async fn dated_ahead(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, u64)>, StoreError> {
        clock_skew::counts(&mut self.0, now).await
    }

    async fn restore_shown(
        &mut self,
        since: Timestamp,
    ) -> Result<Option<RestoreShown>, StoreError> {
        let since = micros(since);
        let row = sqlx::query!(
            r#"select user_id as "user!: i64", jumped_at as "at!: i64", count(*) over () as "users!: i64"
               from note_books where jumped_alone = 1 and jumped_at >= ? order by jumped_at desc limit 1"#,
            since
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(row.map(|row| RestoreShown {
            users: row.users.unsigned_abs(),
            last: UserId(row.user),
            at: time(row.at),
        }))
    }

    async fn newest_mail(&mut self) -> Result<Option<Timestamp>, StoreError> {
        // Ids begin with the millisecond at which they were made, so the newest mail's is one of the last.
        let newest = sqlx::query_scalar!(
            r#"select max(created_at) as "newest: i64"
               from (select created_at from mails order by id desc limit 100)"#
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(newest.map(time))
    }

    async fn heartbeats(&mut self) -> Result<Vec<Heartbeat>, StoreError> {
        let rows = sqlx::query!(
            "select id, last_seen from Workers where worker_type = ?",
            QUEUE
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| Heartbeat {
                worker: row.id,
                seen: row.last_seen,
            })
            .collect())
    }

    async fn posted_relays(&mut self) -> Result<Vec<PostedRelayStatus>, StoreError> {
        let rows = sqlx::query!(
            "select worker, position, relay, state, since, reason, next_probe_at, updated_at
             from relay_standings order by worker, position"
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                Ok(PostedRelayStatus {
                    worker: row.worker,
                    position: u32::try_from(row.position).map_err(unreadable)?,
                    status: RelayStatus {
                        relay: row.relay,
                        state: row.state.parse().map_err(unreadable)?,
                        since: time(row.since),
                        reason: row.reason,
                        next_probe_at: row.next_probe_at.map(time),
                    },
                    updated: time(row.updated_at),
                })
            })
            .collect()
    }
}

#[async_trait]
impl<C: ConnectionGuard> ProcessRegistry for Executor<C> {
    async fn register(
        &mut self,
        process: &Process,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError> {
        let keys: Vec<&str> = process.keys.iter().map(KeyId::as_str).collect();
        let keys = json(&keys)?;
        let (kind, started) = (process.kind.as_str(), micros(process.started));
        let (now, forget_before) = (micros(now), micros(forget_before));
        sqlx::query!("delete from processes where seen_at < ?", forget_before)
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        sqlx::query!(
            "insert into processes (id, kind, version, keys, started_at, seen_at, remark) values (?, ?, ?, ?, ?, ?, ?)
             on conflict (id) do update set seen_at = excluded.seen_at, remark = excluded.remark",
            process.id,
            kind,
            process.version,
            keys,
            started,
            now,
            process.remark
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn deregister(&mut self, id: &str) -> Result<(), StoreError> {
        sqlx::query!("delete from processes where id = ?", id)
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn heartbeat(&mut self, worker: &str, now: Timestamp) -> Result<(), StoreError> {
        sign_of_life(&mut self.0, worker, now).await
    }

    async fn remove_workers(&mut self, workers: &[String]) -> Result<(), StoreError> {
        let workers = json(workers)?;
        sqlx::query!(
            "delete from relay_standings where worker in (select value from json_each(?))",
            workers
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        sqlx::query!(
            "delete from Workers where id in (select value from json_each(?))
               and not exists (select 1 from Jobs where lock_by = Workers.id)",
            workers
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn post_relays(
        &mut self,
        worker: &str,
        statuses: &[RelayStatus],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let now = micros(now);
        for (position, status) in (0_i64..).zip(statuses) {
            let state = status.state.as_str();
            let since = micros(status.since);
            let next_probe_at = status.next_probe_at.map(micros);
            sqlx::query!(
                "insert or replace into relay_standings
                     (worker, position, relay, state, since, reason, next_probe_at, updated_at)
                 values (?, ?, ?, ?, ?, ?, ?, ?)",
                worker,
                position,
                status.relay,
                state,
                since,
                status.reason,
                next_probe_at,
                now
            )
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        }
        Ok(())
    }
}

async fn due_since(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let ranks = json(&ranks(&Lane::ALL))?;
    let first = sqlx::query_scalar!(
        r#"select min(run_at) as "first: i64"
           from (select (select run_at from Jobs indexed by idx_jobs_pending
                         where job_type = ?1 and status = 'Pending' and lock_by is null
                           and priority = rank.value
                         order by run_at limit 1) as run_at
                 from json_each(?2) as rank)"#,
        QUEUE,
        ranks
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    let first = first.and_then(|at| Timestamp::from_second(at).ok());
    Ok(first.filter(|at| *at <= now))
}
