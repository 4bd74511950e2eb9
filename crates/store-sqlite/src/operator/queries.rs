//! The statements of an operator's queries.

use async_trait::async_trait;
use domain::audit::Recorded;
use domain::delivery::Stored;
use domain::email::EmailKey;
use domain::id::MailId;
use domain::mail::MailState;
use domain::operator::{
    MailStatus, OperatorQueries, Pause, QueueCounts, Registration, StateCount, Suppression,
};
use domain::queue::{ChallengeTimes, MailRecord};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::SuppressionRow;
use crate::error::store_error;
use crate::executor::{ConnectionGuard, Executor, micros, time};
use crate::mail_rows::MailRow;

const MINUTE: i64 = 60 * 1_000_000;
const HOUR: i64 = 60 * MINUTE;

#[async_trait]
impl<C: ConnectionGuard> OperatorQueries for Executor<C> {
    async fn pauses(&mut self) -> Result<Vec<Pause>, StoreError> {
        let rows = sqlx::query!(
            "select kind, reason, since_at, paused_by from pauses where ended_at is null order by kind"
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| Pause {
                kind: Some(row.kind).filter(|kind| !kind.is_empty()),
                reason: row.reason,
                since: time(row.since_at),
                by: row.paused_by,
            })
            .collect())
    }

    async fn suppression(
        &mut self,
        to: &EmailKey,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError> {
        let (to, now) = (to.as_str(), micros(now));
        let row = sqlx::query_as!(
            SuppressionRow,
            "select since_at, until_at, mail_id, relay, code, enhanced, text
             from suppressions where recipient_key = ? and until_at > ?",
            to,
            now
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        row.map(SuppressionRow::read).transpose()
    }

    async fn queue_counts(&mut self, now: Timestamp) -> Result<QueueCounts, StoreError> {
        let now = micros(now);
        let (last_minute, last_hour) = ended_lately(&mut self.0, now).await?;
        Ok(QueueCounts {
            states: states(&mut self.0).await?,
            oldest: oldest(&mut self.0).await?,
            last_minute,
            last_hour,
            suppressed: suppressed(&mut self.0, now).await?,
            in_flight: in_flight(&mut self.0).await?,
        })
    }

    async fn mail_status(
        &mut self,
        mail: MailId,
        now: Timestamp,
    ) -> Result<Option<MailStatus>, StoreError> {
        mail_status(&mut self.0, &mail.to_string(), now).await
    }

    async fn registrations_of(
        &mut self,
        email: &EmailKey,
        limit: u32,
    ) -> Result<Vec<Registration>, StoreError> {
        let email = email.as_str();
        let rows = sqlx::query!(
            "select created_at, expires_at, decoy from registrations indexed by registrations_by_email
             where email_key = ? and ended_at is null order by created_at desc limit ?",
            email,
            limit
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| Registration {
                created: time(row.created_at),
                expires: time(row.expires_at),
                decoy: row.decoy == 1,
            })
            .collect())
    }

    async fn records_about(
        &mut self,
        email: &EmailKey,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        let email = email.as_str();
        let rows = sqlx::query!(
            r#"select id as "id!", at, event, request_id, client, user_agent, detail
               from audit indexed by audit_by_address where address = ? order by at desc, id desc limit ?"#,
            email,
            limit
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| Recorded {
                id: row.id,
                at: time(row.at),
                event: row.event,
                request_id: row.request_id,
                client: row.client,
                user_agent: row.user_agent,
                detail: row.detail,
            })
            .collect())
    }

    async fn counted(&mut self, key: &str, since: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
        let since = micros(since);
        let hits = sqlx::query_scalar!(
            "select at from limit_hits where key = ? and at > ? order by at, n",
            key,
            since
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(hits.into_iter().map(time).collect())
    }
}

/// Read from an index alone, which is much smaller than the mails.
async fn states(connection: &mut SqliteConnection) -> Result<Vec<StateCount>, StoreError> {
    let rows = sqlx::query!(
        r#"select state, kind, count(*) as "mails!: i64"
           from mails indexed by mails_by_state_and_kind group by state, kind"#
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(rows
        .into_iter()
        .map(|row| StateCount {
            state: row.state.into(),
            kind: row.kind.into(),
            mails: row.mails.unsigned_abs(),
        })
        .collect())
}

/// The first of those that wait, in either state.
async fn oldest(connection: &mut SqliteConnection) -> Result<Option<MailRecord>, StoreError> {
    let mut oldest: Option<MailRecord> = None;
    for state in [MailState::Queued, MailState::Waiting] {
        let state = state.as_str();
        let row = sqlx::query_as!(
            MailRow,
            "select id, kind, state, reason, recipient, recipient_key, request_id, created_at,
                    deadline_at, again_at, finished_at, tries, cut_offs
             from mails indexed by mails_by_state where state = ? order by created_at limit 1",
            state
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(store_error)?;
        if let Some(row) = row {
            let mail = row.read()?;
            if oldest.as_ref().is_none_or(|old| mail.created < old.created) {
                oldest = Some(mail);
            }
        }
    }
    Ok(oldest)
}

type Ended = Vec<(Stored<MailState>, u64)>;

/// What ended in the last minute, and in the last hour, by state.
async fn ended_lately(
    connection: &mut SqliteConnection,
    now: i64,
) -> Result<(Ended, Ended), StoreError> {
    let (minute, hour) = (now - MINUTE, now - HOUR);
    let rows = sqlx::query!(
        r#"select state, count(*) as "hour!: i64", count(*) filter (where finished_at > ?1) as "minute!: i64"
           from mails indexed by mails_by_end where finished_at > ?2 and finished_at is not null
           group by state order by state"#,
        minute,
        hour
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let mut ended = (Ended::new(), Ended::new());
    for row in rows {
        let state = Stored::from(row.state);
        if row.minute > 0 {
            ended.0.push((state.clone(), row.minute.unsigned_abs()));
        }
        ended.1.push((state, row.hour.unsigned_abs()));
    }
    Ok(ended)
}

async fn suppressed(connection: &mut SqliteConnection, now: i64) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!: i64" from suppressions where until_at > ?"#,
        now
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    Ok(count.unsigned_abs())
}

async fn in_flight(connection: &mut SqliteConnection) -> Result<Vec<(String, u64)>, StoreError> {
    let rows = sqlx::query!(
        r#"select lock_by as "worker!", count(*) as "mails!: i64" from Jobs
           where lock_by is not null group by lock_by"#
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.worker, row.mails.unsigned_abs()))
        .collect())
}

async fn mail_status(
    connection: &mut SqliteConnection,
    mail: &str,
    now: Timestamp,
) -> Result<Option<MailStatus>, StoreError> {
    let row = sqlx::query!(
        r#"select mails.id, kind, state, reason, recipient, recipient_key, request_id, mails.created_at,
                  deadline_at, again_at, finished_at, mails.tries, cut_offs,
                  state = 'sending' and dot_claim_no is claim_no as "marked!: bool",
                  coalesce(forget_as, recipient_key) as "known_as!",
                  challenges.expires_at as "expires_at?", challenges.used_at, challenges.ended_at,
                  challenges.superseded_at, challenges.decoy as "decoy?"
           from mails left join challenges on challenges.id = mails.challenge_id where mails.id = ?"#,
        mail
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    row.map(|row| {
        let life = row.expires_at.map(|expires| {
            let times = ChallengeTimes {
                decoy: row.decoy == Some(1),
                used: row.used_at.is_some(),
                ended: row.ended_at.is_some(),
                superseded: row.superseded_at.is_some(),
                expires: time(expires),
            };
            times.life(now)
        });
        Ok(MailStatus {
            mail: MailRow {
                id: row.id,
                kind: row.kind,
                state: row.state,
                reason: row.reason,
                recipient: row.recipient,
                recipient_key: row.recipient_key,
                request_id: row.request_id,
                created_at: row.created_at,
                deadline_at: row.deadline_at,
                again_at: row.again_at,
                finished_at: row.finished_at,
                tries: row.tries,
                cut_offs: row.cut_offs,
            }
            .read()?,
            life,
            marked: row.marked,
            known_as: row.known_as.into(),
        })
    })
    .transpose()
}
