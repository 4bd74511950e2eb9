//! Opening a database file: the settings every connection needs, each read back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlitePool};

use crate::Options;
use crate::hint;
use crate::migrate::SchemaError;

/// Before this version a WAL shared by two processes could be corrupted.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// The WAL is cut back to this size, in bytes, when it has been written back.
const WAL_LIMIT: &str = "67108864";

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("there is no database at {}: make it with `smart-notes migrate`", .0.display())]
    Missing(PathBuf),
    /// The file can't be opened or read.
    #[error("the database {} can't be opened{}", .path.display(), hint::sqlite(.source))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// This process may not write the database, a file that belongs to it, or its folder.
    #[error("{} can't be written{}", .path.display(), hint::io(.source))]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The linked `SQLite` is too old to be shared by two processes.
    #[error(
        "SQLite {0} can corrupt a database that two processes share; 3.51.3 or newer is needed"
    )]
    TooOld(String),
    /// A setting has no effect.
    #[error("the database {} refuses the setting {pragma}: it says `{found}`, not `{wanted}`", .path.display())]
    Pragma {
        /// The file.
        path: PathBuf,
        /// The name of the setting.
        pragma: &'static str,
        /// The value that was set.
        wanted: String,
        /// The value that was read back.
        found: String,
    },
    /// The schema does not fit this program.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

pub(crate) fn must_exist(path: &Path) -> Result<(), OpenError> {
    // Read from metadata, and not opened: closing a file handle of our own would drop the locks that SQLite has on it
    // in this process (SQLite, "How To Corrupt", section 2.2).
    match std::fs::metadata(path) {
        Ok(file) if file.is_dir() => Err(unusable(path, ErrorKind::IsADirectory.into())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(OpenError::Missing(path.to_owned()))
        }
        Err(error) => Err(unusable(path, error)),
    }
}

fn unusable(path: &Path, error: std::io::Error) -> OpenError {
    OpenError::Unusable {
        path: path.to_owned(),
        source: sqlx::Error::Io(error),
    }
}

/// The settings of every connection.
pub(crate) fn connect_options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(busy_timeout)
        .pragma("journal_size_limit", WAL_LIMIT)
        // What is deleted is overwritten with zeros, so that it leaves the file: <https://sqlite.org/pragma.html#pragma_secure_delete>.
        .pragma("secure_delete", "on")
        .pragma("trusted_schema", "off")
        .disable_statement_logging()
}

/// The one connection that writes.
pub(crate) async fn writer(options: &Options) -> Result<SqliteConnection, OpenError> {
    let unusable = |source| OpenError::Unusable {
        path: options.path.clone(),
        source,
    };
    let mut connection = connect_options(&options.path, options.busy_timeout)
        .connect()
        .await
        .map_err(unusable)?;
    must_be_new_enough(&mut connection)
        .await
        .map_err(unusable)??;
    let busy = options.busy_timeout.as_millis().to_string();
    for (pragma, wanted) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("busy_timeout", busy.as_str()),
        ("secure_delete", "1"),
    ] {
        read_back(&mut connection, options, pragma, wanted).await?;
    }
    Ok(connection)
}

/// The settings of a connection that only reads.
pub(crate) fn reading(options: &Options) -> SqliteConnectOptions {
    connect_options(&options.path, options.busy_timeout).pragma("query_only", "on")
}

/// The connections that the process itself only reads over.
pub(crate) async fn readers(options: &Options) -> Result<SqlitePool, OpenError> {
    let unusable = |source| OpenError::Unusable {
        path: options.path.clone(),
        source,
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(options.readers)
        .acquire_timeout(options.busy_timeout)
        .test_before_acquire(false)
        .connect_with(reading(options))
        .await
        .map_err(unusable)?;
    let mut connection = pool.acquire().await.map_err(unusable)?;
    read_back(&mut connection, options, "query_only", "1").await?;
    drop(connection);
    Ok(pool)
}

async fn must_be_new_enough(
    connection: &mut SqliteConnection,
) -> Result<Result<(), OpenError>, sqlx::Error> {
    let version: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(connection)
        .await?;
    Ok(if is_too_old(&version) {
        Err(OpenError::TooOld(version))
    } else {
        Ok(())
    })
}

/// Whether this version of `SQLite` can corrupt a database that two processes share.
pub(crate) fn is_too_old(version: &str) -> bool {
    let numbers: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    numbers.as_slice() < OLDEST_SQLITE.as_slice()
}

async fn read_back(
    connection: &mut SqliteConnection,
    options: &Options,
    pragma: &'static str,
    wanted: &str,
) -> Result<(), OpenError> {
    // Names are constants of this file; a pragma takes no bound parameters.
    let statement = sqlx::AssertSqlSafe(format!(
        "select cast({pragma} as text) from pragma_{pragma}"
    ));
    let statement = match pragma {
        // This one calls its column `timeout`.
        "busy_timeout" => {
            sqlx::AssertSqlSafe("select cast(timeout as text) from pragma_busy_timeout".to_owned())
        }
        _ => statement,
    };
    let found: String = sqlx::query_scalar(statement)
        .fetch_one(connection)
        .await
        .map_err(|source| OpenError::Unusable {
            path: options.path.clone(),
            source,
        })?;
    if found == wanted {
        Ok(())
    } else {
        Err(OpenError::Pragma {
            path: options.path.clone(),
            pragma,
            wanted: wanted.to_owned(),
            found,
        })
    }
}
