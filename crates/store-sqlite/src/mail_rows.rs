//! Mails as people look for them: lists by what is known of a mail, and the story of one.
//!
//! Each list names its index, so that it costs what it answers with, however many mails there are. Times and ids
//! order alike; the id only tells apart what was asked for in one microsecond.

use domain::email::EmailKey;
use domain::mail::{MailKind, MailState};
use domain::queue::{AttemptRecord, MailFilter, MailRecord, MailStory};
use domain::store::StoreError;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::{micros, time};

/// A mail's columns.
pub(crate) struct MailRow {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) recipient: String,
    pub(crate) recipient_key: String,
    pub(crate) request_id: String,
    pub(crate) created_at: i64,
    pub(crate) deadline_at: Option<i64>,
    pub(crate) again_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) tries: i64,
    pub(crate) cut_offs: i64,
}

impl MailRow {
    pub(crate) fn read(self) -> Result<MailRecord, StoreError> {
        Ok(MailRecord {
            id: self.id.parse().map_err(unreadable)?,
            kind: self.kind.into(),
            state: self.state.into(),
            reason: self.reason,
            to: self.recipient,
            to_key: self.recipient_key.into(),
            request_id: self.request_id,
            created: time(self.created_at),
            deadline: self.deadline_at.map(time),
            again_at: self.again_at.map(time),
            finished: self.finished_at.map(time),
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
            uncertain_attempts: u32::try_from(self.cut_offs).unwrap_or(u32::MAX),
        })
    }
}

/// Mails, as rows, of a source and conditions.
macro_rules! mail_rows {
    ($connection:expr, $from:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            MailRow,
            "select id, kind, state, reason, recipient, recipient_key, request_id, created_at,
                    deadline_at, again_at, finished_at, tries, cut_offs "
                + $from,
            $($argument),+
        )
        .fetch_all($connection)
        .await
        .map_err(store_error)
    };
}

/// The mails whose id begins so: two at most, which is enough to know that it is not only one.
pub(crate) async fn stories(
    connection: &mut SqliteConnection,
    id_prefix: &str,
) -> Result<Vec<MailStory>, StoreError> {
    // A prefix as a range, so that the primary key finds it; `~` is above every digit of a ULID.
    let low = id_prefix.to_uppercase();
    let high = format!("{low}~");
    let rows = mail_rows!(
        &mut *connection,
        "from mails where id >= ?1 and id < ?2 order by id limit 2",
        low,
        high
    )?;
    let mut stories = Vec::with_capacity(rows.len());
    for row in rows {
        let tries = tries(connection, &row.id).await?;
        stories.push(MailStory {
            mail: row.read()?,
            tries,
        });
    }
    Ok(stories)
}

/// Which mails, as the statements take it.
struct Wanted<'a> {
    state: Option<&'static str>,
    kind: Option<&'static str>,
    to: Option<&'a str>,
    /// Not older than this.
    since: i64,
    /// Older than this one.
    until: i64,
    before: String,
    limit: i64,
}

/// Mails, newest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    filter: &MailFilter,
) -> Result<Vec<MailRecord>, StoreError> {
    let Some(wanted) = wanted(connection, filter).await? else {
        return Ok(Vec::new());
    };
    let rows = match (&filter.request, &filter.user) {
        (Some(request), _) => of_request(connection, request, filter, &wanted).await,
        (None, Some((user, address))) => {
            of_user(connection, user.0, address.as_str(), &wanted).await
        }
        (None, None) if filter.to.is_some() => of_address(connection, &wanted).await,
        (None, None) => of_all(connection, &wanted).await,
    };
    rows?.into_iter().map(MailRow::read).collect()
}

/// `None`: the mail that the list is to go on from is gone.
async fn wanted<'a>(
    connection: &mut SqliteConnection,
    filter: &'a MailFilter,
) -> Result<Option<Wanted<'a>>, StoreError> {
    let (until, before) = match filter.before {
        None => (i64::MAX, String::new()),
        Some(before) => {
            let before = before.to_string();
            let created = sqlx::query_scalar!("select created_at from mails where id = ?", before)
                .fetch_optional(connection)
                .await
                .map_err(store_error)?;
            let Some(created) = created else {
                return Ok(None);
            };
            (created, before)
        }
    };
    Ok(Some(Wanted {
        state: filter.state.map(MailState::as_str),
        kind: filter.kind.map(MailKind::as_str),
        to: filter.to.as_ref().map(EmailKey::as_str),
        since: filter.since.map_or(i64::MIN, micros),
        until,
        before,
        limit: filter.limit.into(),
    }))
}

/// The one or two mails of a request.
async fn of_request(
    connection: &mut SqliteConnection,
    request: &str,
    filter: &MailFilter,
    wanted: &Wanted<'_>,
) -> Result<Vec<MailRow>, StoreError> {
    let (user, address) = match &filter.user {
        Some((user, address)) => (Some(user.0), Some(address.as_str())),
        None => (None, None),
    };
    mail_rows!(
        connection,
        "from mails indexed by mails_by_request
         where request_id = ?1 and (?2 is null or state = ?2) and (?3 is null or kind = ?3)
           and (?4 is null or recipient_key = ?4) and (?5 is null or user_id = ?5 or recipient_key = ?6)
           and created_at >= ?7 and (created_at, id) < (?8, ?9)
         order by created_at desc, id desc limit ?10",
        request,
        wanted.state,
        wanted.kind,
        wanted.to,
        user,
        address,
        wanted.since,
        wanted.until,
        wanted.before,
        wanted.limit
    )
}

/// Mails about a user, and those to the user's address from before there was a user.
async fn of_user(
    connection: &mut SqliteConnection,
    user: i64,
    address: &str,
    wanted: &Wanted<'_>,
) -> Result<Vec<MailRow>, StoreError> {
    mail_rows!(
        connection,
        "from mails
         where id in (select id from mails indexed by mails_by_user where user_id = ?1
                      union select id from mails indexed by mails_by_recipient where recipient_key = ?2)
           and (?3 is null or state = ?3) and (?4 is null or kind = ?4) and (?5 is null or recipient_key = ?5)
           and created_at >= ?6 and (created_at, id) < (?7, ?8)
         order by created_at desc, id desc limit ?9",
        user,
        address,
        wanted.state,
        wanted.kind,
        wanted.to,
        wanted.since,
        wanted.until,
        wanted.before,
        wanted.limit
    )
}

async fn of_address(
    connection: &mut SqliteConnection,
    wanted: &Wanted<'_>,
) -> Result<Vec<MailRow>, StoreError> {
    mail_rows!(
        connection,
        "from mails indexed by mails_by_recipient
         where recipient_key = ?1 and (?2 is null or state = ?2) and (?3 is null or kind = ?3)
           and created_at >= ?4 and (created_at, id) < (?5, ?6)
         order by created_at desc, id desc limit ?7",
        wanted.to,
        wanted.state,
        wanted.kind,
        wanted.since,
        wanted.until,
        wanted.before,
        wanted.limit
    )
}

/// Mails to anybody, by state, kind, both or neither: each has an index of its own.
async fn of_all(
    connection: &mut SqliteConnection,
    wanted: &Wanted<'_>,
) -> Result<Vec<MailRow>, StoreError> {
    let Wanted {
        since,
        until,
        before,
        limit,
        ..
    } = wanted;
    match (wanted.state, wanted.kind) {
        (None, None) => mail_rows!(
            connection,
            "from mails indexed by mails_by_time
             where created_at >= ?1 and (created_at, id) < (?2, ?3)
             order by created_at desc, id desc limit ?4",
            since,
            until,
            before,
            limit
        ),
        (Some(state), None) => mail_rows!(
            connection,
            "from mails indexed by mails_by_state
             where state = ?1 and created_at >= ?2 and (created_at, id) < (?3, ?4)
             order by created_at desc, id desc limit ?5",
            state,
            since,
            until,
            before,
            limit
        ),
        (None, Some(kind)) => mail_rows!(
            connection,
            "from mails indexed by mails_by_kind
             where kind = ?1 and created_at >= ?2 and (created_at, id) < (?3, ?4)
             order by created_at desc, id desc limit ?5",
            kind,
            since,
            until,
            before,
            limit
        ),
        (Some(state), Some(kind)) => mail_rows!(
            connection,
            "from mails indexed by mails_by_state_and_kind
             where state = ?1 and kind = ?2 and created_at >= ?3 and (created_at, id) < (?4, ?5)
             order by created_at desc, id desc limit ?6",
            state,
            kind,
            since,
            until,
            before,
            limit
        ),
    }
}

async fn tries(
    connection: &mut SqliteConnection,
    mail: &str,
) -> Result<Vec<AttemptRecord>, StoreError> {
    let rows = sqlx::query!(
        "select started_at, duration_ms, relay, reused, stage, code, enhanced, text, outcome, again_at
         from mail_tries where mail_id = ? order by claim_no, reach",
        mail
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(rows
        .into_iter()
        .map(|row| AttemptRecord {
            started: time(row.started_at),
            duration_ms: u64::try_from(row.duration_ms).unwrap_or(0),
            relay: row.relay,
            reused: row.reused == 1,
            stage: row.stage.into(),
            code: row.code.and_then(|code| u16::try_from(code).ok()),
            enhanced: row.enhanced,
            text: row.text,
            outcome: row.outcome.into(),
            again_at: row.again_at.map(time),
        })
        .collect())
}
