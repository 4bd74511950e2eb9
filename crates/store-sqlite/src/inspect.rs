//! A look at a database file whose schema may be any, for `smart-notes doctor`. Changes nothing.
//!
//! Apart from [`Sqlite::open`](crate::Sqlite::open), which refuses what does not fit this program: here
//! that is a finding.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::connect::{OpenError, is_too_old, must_exist};
use crate::error::is_corrupt;
use crate::migrate;

/// The findings.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The version of the linked `SQLite`.
    pub sqlite: String,
    /// Whether it can corrupt a database that two processes share.
    pub sqlite_is_too_old: bool,
    /// The file's journal mode; it must be `wal`.
    pub journal_mode: String,
    /// Migrations that this program has and the file has not.
    pub missing: Vec<String>,
    /// Migrations that the file has and this program does not know: others are newer.
    pub unknown: Vec<String>,
    /// What `pragma quick_check` complains of, the first ten faults.
    pub damage: Vec<String>,
    /// Rows whose partner is missing (`pragma foreign_key_check`).
    pub orphans: u64,
}

/// Looks at a file. Takes as long as reading all of it.
pub async fn inspect(path: &Path, busy_timeout: Duration) -> Result<Inspection, OpenError> {
    must_exist(path)?;
    let unusable = |source| OpenError::Unusable {
        path: path.to_owned(),
        source,
    };
    // Without the settings that processes use: setting the journal mode would change a file that has another.
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(busy_timeout)
        .pragma("query_only", "on")
        .pragma("trusted_schema", "off")
        .disable_statement_logging()
        .connect()
        .await
        .map_err(unusable)?;
    let found = look(&mut connection).await.map_err(unusable)?;
    connection.close().await.map_err(unusable)?;
    Ok(found)
}

async fn look(connection: &mut SqliteConnection) -> Result<Inspection, sqlx::Error> {
    let sqlite: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(&mut *connection)
        .await?;
    let journal_mode = sqlx::query_scalar("select journal_mode from pragma_journal_mode")
        .fetch_one(&mut *connection)
        .await?;
    let (missing, unknown) = migrate::compare(connection).await?;
    let damage = damage(connection).await?;
    let orphans: i64 = if damage.is_empty() {
        sqlx::query_scalar("select count(*) from pragma_foreign_key_check")
            .fetch_one(connection)
            .await?
    } else {
        0
    };
    Ok(Inspection {
        sqlite_is_too_old: is_too_old(&sqlite),
        sqlite,
        journal_mode,
        missing,
        unknown,
        damage,
        orphans: u64::try_from(orphans).unwrap_or_default(),
    })
}

async fn damage(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let checked: Result<Vec<String>, _> = sqlx::query_scalar("pragma quick_check(10)")
        .fetch_all(connection)
        .await;
    match checked {
        Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
        // Too broken to be checked.
        Err(error) if is_corrupt(&error) => Ok(vec![error.to_string()]),
        Err(error) => Err(error),
    }
}
