//! What processes say of themselves, and what waits in the queue.

use async_trait::async_trait;
use domain::id::UserId;
use domain::mail::{Lane, MailState};
use domain::store::StoreError;
use domain::vitals::{Depth, KeyNeed, Present, Process, RestoreShown, Vitals};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::Sqlite;
use crate::access::{micros, time};
use crate::ahead;
use crate::error::{store_error, unreadable};
use crate::queue::{QUEUE, QueueWrite, ranks};

#[async_trait]
impl Vitals for Sqlite {
    async fn announce(
        &self,
        process: &Process,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError> {
        let keys: Vec<&str> = process
            .keys
            .iter()
            .map(domain::otp::KeyId::as_str)
            .collect();
        self.queue_write(Announce {
            keys: serde_json::to_string(&keys).map_err(unreadable)?,
            process: process.clone(),
            now,
            forget_before,
        })
        .await
    }

    async fn depart(&self, id: &str) -> Result<(), StoreError> {
        self.queue_write(Depart { id: id.to_owned() }).await
    }

    async fn processes(&self) -> Result<Vec<Present>, StoreError> {
        let rows = sqlx::query!(
            "select id, kind, version, keys, started_at, seen_at, remark from processes order by started_at, id"
        )
        .fetch_all(&self.readers)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                let keys: Vec<String> = serde_json::from_str(&row.keys).map_err(unreadable)?;
                Ok(Present {
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

    async fn depth(&self, now: Timestamp) -> Result<Depth, StoreError> {
        let rows = sqlx::query!(
            "select state, count(*) as mails from mails indexed by mails_by_state
             where state in ('queued', 'sending', 'waiting') group by state"
        )
        .fetch_all(&self.readers)
        .await
        .map_err(store_error)?;
        let of = |state: &MailState| {
            let row = rows.iter().find(|row| row.state == state.as_str());
            row.map_or(0, |row| u64::try_from(row.mails).unwrap_or_default())
        };
        let living = MailState::ALL.into_iter().filter(|state| !state.is_final());
        Ok(Depth {
            states: living.map(|state| (state, of(&state))).collect(),
            due_since: self.due_since(now).await?,
        })
    }

    async fn keys_needed(&self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError> {
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
        .fetch_all(&self.readers)
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

    async fn dated_ahead(&self, now: Timestamp) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let mut reader = self.readers.acquire().await.map_err(store_error)?;
        ahead::counts(&mut reader, now).await
    }

    async fn restore_shown(&self, since: Timestamp) -> Result<Option<RestoreShown>, StoreError> {
        let since = micros(since);
        let row = sqlx::query!(
            r#"select user_id as "user!: i64", jumped_at as "at!: i64", count(*) over () as "users!: i64"
               from note_books where jumped_alone = 1 and jumped_at >= ? order by jumped_at desc limit 1"#,
            since
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(store_error)?;
        Ok(row.map(|row| RestoreShown {
            users: row.users.unsigned_abs(),
            last: UserId(row.user),
            at: time(row.at),
        }))
    }

    async fn newest_mail(&self) -> Result<Option<Timestamp>, StoreError> {
        // Ids begin with the millisecond at which they were made, so the newest mail's is one of the last.
        let newest = sqlx::query_scalar!(
            r#"select max(created_at) as "newest: i64"
               from (select created_at from mails order by id desc limit 100)"#
        )
        .fetch_one(&self.readers)
        .await
        .map_err(store_error)?;
        Ok(newest.map(time))
    }
}

impl Sqlite {
    async fn due_since(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let ranks = serde_json::to_string(&ranks(&Lane::ALL)).map_err(unreadable)?;
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
        .fetch_one(&self.readers)
        .await
        .map_err(store_error)?;
        let first = first.and_then(|at| Timestamp::from_second(at).ok());
        Ok(first.filter(|at| *at <= now))
    }
}

struct Announce {
    process: Process,
    keys: String,
    now: Timestamp,
    forget_before: Timestamp,
}

#[async_trait]
impl QueueWrite for Announce {
    type Out = ();

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let process = &self.process;
        let (kind, started) = (process.kind.as_str(), micros(process.started));
        let (now, forget_before) = (micros(self.now), micros(self.forget_before));
        sqlx::query!("delete from processes where seen_at < ?", forget_before)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
        sqlx::query!(
            "insert into processes (id, kind, version, keys, started_at, seen_at, remark) values (?, ?, ?, ?, ?, ?, ?)
             on conflict (id) do update set seen_at = excluded.seen_at, remark = excluded.remark",
            process.id,
            kind,
            process.version,
            self.keys,
            started,
            now,
            process.remark
        )
        .execute(connection)
        .await
        .map_err(store_error)?;
        Ok(())
    }
}

struct Depart {
    id: String,
}

#[async_trait]
impl QueueWrite for Depart {
    type Out = ();

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query!("delete from processes where id = ?", self.id)
            .execute(connection)
            .await
            .map_err(store_error)?;
        Ok(())
    }
}
