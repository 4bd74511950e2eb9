//! What can be read, inside a unit of work as well as outside.

use async_trait::async_trait;
use domain::accounts::{LoginAccount, User};
use domain::email::EmailKey;
use domain::id::UserId;
use domain::password::PasswordHash;
use domain::queue::{MailFilter, MailRecord, MailStory, TryRecord};
use domain::store::{StoreError, View};
use domain::username::NameKey;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::access::{Access, Connected, micros, time};
use crate::error::{store_error, unreadable};

#[async_trait]
impl<C: Connected> View for Access<C> {
    async fn user_by_email(&mut self, email: &EmailKey) -> Result<Option<User>, StoreError> {
        let email = email.as_str();
        let row = sqlx::query!("select id, email from users where email_key = ?", email)
            .fetch_optional(&mut *self.0)
            .await
            .map_err(store_error)?;
        Ok(row.map(|row| User {
            id: UserId(row.id),
            email: row.email,
        }))
    }

    async fn login_account(
        &mut self,
        email: Option<&EmailKey>,
        name: &NameKey,
        now: Timestamp,
    ) -> Result<LoginAccount, StoreError> {
        let email = email.map_or("", EmailKey::as_str);
        let name = name.as_str();
        // The rank puts the address before the name.
        let user = sqlx::query!(
            "select id, email, password_hash, credential_version, is_active
             from users where email_key = ?1 or username_key = ?2
             order by email_key = ?1 desc limit 1",
            email,
            name
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        if let Some(user) = user {
            return Ok(LoginAccount::Verified {
                id: UserId(user.id),
                email: user.email,
                password: user.password_hash.into(),
                credential_version: user.credential_version,
                active: user.is_active == 1,
            });
        }
        for by in [AttemptBy::Email(email), AttemptBy::Name(name)] {
            if let Some(password) = newest_attempt(&mut self.0, by, now).await? {
                return Ok(LoginAccount::Unverified { password });
            }
        }
        Ok(LoginAccount::Unknown)
    }

    async fn mail(&mut self, id_prefix: &str) -> Result<Vec<MailStory>, StoreError> {
        // An id's prefix as a range, so that the primary key finds it; `~` is above every digit of a ULID.
        let low = id_prefix.to_uppercase();
        let high = format!("{low}~");
        let rows = sqlx::query_as!(
            MailRow,
            "select id, kind, state, reason, recipient, request_id, created_at, again_at, finished_at, tries
             from mails where id >= ?1 and id < ?2 order by id limit 2",
            low,
            high
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        let mut stories = Vec::with_capacity(rows.len());
        for row in rows {
            let tries = tries(&mut self.0, &row.id).await?;
            stories.push(MailStory {
                mail: row.read()?,
                tries,
            });
        }
        Ok(stories)
    }

    async fn mails(&mut self, filter: &MailFilter) -> Result<Vec<MailRecord>, StoreError> {
        let state = filter.state.map(domain::mail::MailState::as_str);
        let to = filter.to.as_ref().map(EmailKey::as_str);
        let limit = i64::from(filter.limit);
        // A request is a statement of its own, so that its index leads to the one or two rows.
        let rows = if let Some(request) = &filter.request {
            sqlx::query_as!(
                MailRow,
                "select id, kind, state, reason, recipient, request_id, created_at, again_at, finished_at, tries
                 from mails
                 where request_id = ?1 and (?2 is null or state = ?2) and (?3 is null or recipient_key = ?3)
                 order by id desc limit ?4",
                request,
                state,
                to,
                limit
            )
            .fetch_all(&mut *self.0)
            .await
        } else {
            sqlx::query_as!(
                MailRow,
                "select id, kind, state, reason, recipient, request_id, created_at, again_at, finished_at, tries
                 from mails
                 where (?1 is null or state = ?1) and (?2 is null or recipient_key = ?2)
                 order by id desc limit ?3",
                state,
                to,
                limit
            )
            .fetch_all(&mut *self.0)
            .await
        };
        rows.map_err(store_error)?
            .into_iter()
            .map(MailRow::read)
            .collect()
    }
}

/// What an attempt is looked up by; each has an index of its own, which an `or` would not use.
enum AttemptBy<'a> {
    Email(&'a str),
    Name(&'a str),
}

/// The password of the newest live attempt.
async fn newest_attempt(
    connection: &mut SqliteConnection,
    by: AttemptBy<'_>,
    now: Timestamp,
) -> Result<Option<PasswordHash>, StoreError> {
    let now = micros(now);
    let hash = match by {
        AttemptBy::Email(email) => {
            sqlx::query_scalar!(
                "select password_hash from registrations
                 where email_key = ? and ended_at is null and expires_at > ?
                 order by created_at desc, id desc limit 1",
                email,
                now
            )
            .fetch_optional(connection)
            .await
        }
        AttemptBy::Name(name) => {
            sqlx::query_scalar!(
                "select password_hash from registrations indexed by registrations_by_name
                 where username_key = ? and ended_at is null and expires_at > ?
                 order by created_at desc, id desc limit 1",
                name,
                now
            )
            .fetch_optional(connection)
            .await
        }
    };
    Ok(hash.map_err(store_error)?.map(Into::into))
}

struct MailRow {
    id: String,
    kind: String,
    state: String,
    reason: Option<String>,
    recipient: String,
    request_id: String,
    created_at: i64,
    again_at: Option<i64>,
    finished_at: Option<i64>,
    tries: i64,
}

impl MailRow {
    fn read(self) -> Result<MailRecord, StoreError> {
        Ok(MailRecord {
            id: self.id.parse().map_err(unreadable)?,
            kind: self.kind,
            state: self.state,
            reason: self.reason,
            to: self.recipient,
            request_id: self.request_id,
            created: time(self.created_at),
            again_at: self.again_at.map(time),
            finished: self.finished_at.map(time),
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
        })
    }
}

async fn tries(
    connection: &mut SqliteConnection,
    mail: &str,
) -> Result<Vec<TryRecord>, StoreError> {
    let rows = sqlx::query!(
        "select started_at, duration_ms, relay, reused, stage, code, enhanced, text, outcome
         from mail_tries where mail_id = ? order by claim_no",
        mail
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(rows
        .into_iter()
        .map(|row| TryRecord {
            started: time(row.started_at),
            duration_ms: u64::try_from(row.duration_ms).unwrap_or(0),
            relay: row.relay,
            reused: row.reused == 1,
            stage: row.stage,
            code: row.code.and_then(|code| u16::try_from(code).ok()),
            enhanced: row.enhanced,
            text: row.text,
            outcome: row.outcome,
        })
        .collect())
}
