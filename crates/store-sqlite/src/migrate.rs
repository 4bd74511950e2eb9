//! The schema: making it, bringing it up to date, and refusing one that is too old.
//!
//! Two sets of migrations live in one file, each with its own table of what was applied:
//! ours, and apalis's for its `Jobs` and `Workers`. Both only go forward. A newer schema than
//! a program knows is fine: the order of an upgrade is migrate, then worker, then API.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use apalis_sqlite::SqliteStorage;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::connect::connect_options;
use crate::hint;

const OURS: &str = "_sqlx_migrations";
const APALIS: &str = "_apalis_migrations";

/// Migrating may have to wait for a running server's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The schema does not fit this program.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Migrations are missing.
    #[error(
        "the database's schema is older than this program: {0} is missing. Run `smart-notes migrate`, then start again"
    )]
    Older(String),
    /// It could not be read.
    #[error("the database's schema can't be read")]
    Unreadable(#[source] sqlx::Error),
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The file or its folder can't be used.
    #[error("{} can't be used{}", .path.display(), hint::io(.source))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The database can't be opened.
    #[error("the database {} can't be opened{}", .path.display(), hint::sqlite(.source))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed; those before it are kept.
    #[error("a migration failed")]
    Failed(#[source] Box<MigrateError>),
}

/// What a run did.
#[derive(Debug)]
pub struct Report {
    /// The names of the migrations that were applied, in their order.
    pub applied: Vec<String>,
}

fn ours() -> Migrator {
    let mut migrator = sqlx::migrate!("../../migrations/sqlite");
    migrator.set_ignore_missing(true);
    migrator
}

fn apalis() -> Migrator {
    let mut migrator = SqliteStorage::migrations();
    migrator.dangerous_set_table_name(APALIS);
    migrator.set_ignore_missing(true);
    migrator
}

/// Makes the database if there is none, readable by its owner only, and brings its schema up to date.
/// Several may run at once: they take turns.
pub async fn run(path: &Path) -> Result<Report, MigrationError> {
    let _turn = take_turn(path)?;
    create(path)?;
    let open = |source| MigrationError::Open {
        path: path.to_owned(),
        source,
    };
    let mut connection = connect_options(path, BUSY_TIMEOUT)
        .connect()
        .await
        .map_err(open)?;
    let applied = pending(&mut connection).await.map_err(open)?;
    for migrator in [apalis(), ours()] {
        migrator
            .run(&mut connection)
            .await
            .map_err(|error| MigrationError::Failed(Box::new(error)))?;
    }
    connection.close().await.map_err(open)?;
    Ok(Report { applied })
}

/// Whether every migration that this program needs has been applied.
pub(crate) async fn check(readers: &SqlitePool) -> Result<(), SchemaError> {
    let mut connection = readers.acquire().await.map_err(SchemaError::Unreadable)?;
    let missing = pending(&mut connection)
        .await
        .map_err(SchemaError::Unreadable)?;
    match missing.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(SchemaError::Older(first)),
    }
}

/// The migrations that this program has and the database has not, and those of which it is the other way round.
pub(crate) async fn compare(
    connection: &mut SqliteConnection,
) -> Result<(Vec<String>, Vec<String>), sqlx::Error> {
    let missing = pending(connection).await?;
    let known: BTreeSet<i64> = ours().iter().map(|migration| migration.version).collect();
    let mut unknown = Vec::new();
    if exists(connection, OURS).await? {
        let applied: Vec<(i64, String)> = sqlx::query_as(
            "select version, description from _sqlx_migrations where success order by version",
        )
        .fetch_all(connection)
        .await?;
        let newer = applied
            .into_iter()
            .filter(|(version, _)| !known.contains(version));
        unknown.extend(newer.map(|(version, name)| format!("{version:04} {name}")));
    }
    Ok((missing, unknown))
}

/// The migrations that this program has and the database has not.
async fn pending(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut missing = Vec::new();
    for (table, owner, migrator) in [(APALIS, "apalis ", apalis()), (OURS, "", ours())] {
        let applied = applied(connection, table).await?;
        missing.extend(
            migrator
                .iter()
                .filter(|migration| !applied.contains(&migration.version))
                .map(|migration| {
                    format!("{owner}{:04} {}", migration.version, migration.description)
                }),
        );
    }
    Ok(missing)
}

async fn applied(
    connection: &mut SqliteConnection,
    table: &'static str,
) -> Result<BTreeSet<i64>, sqlx::Error> {
    if !exists(connection, table).await? {
        return Ok(BTreeSet::new());
    }
    // The table's name is one of two constants of this file.
    let statement = sqlx::AssertSqlSafe(format!("select version from {table} where success"));
    let versions: Vec<i64> = sqlx::query_scalar(statement).fetch_all(connection).await?;
    Ok(versions.into_iter().collect())
}

async fn exists(connection: &mut SqliteConnection, table: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from sqlite_schema where type = 'table' and name = ?)",
    )
    .bind(table)
    .fetch_one(connection)
    .await
}

/// `SQLite` gives `-wal` and `-shm` the mode of the database, so this one decides for all three.
fn create(path: &Path) -> Result<(), MigrationError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|source| MigrationError::File {
            path: path.to_owned(),
            source,
        })
}

/// Locks the database's folder, made for its owner alone if need be, against another migration; sqlx takes no lock on `SQLite`.
fn take_turn(path: &Path) -> Result<File, MigrationError> {
    let folder = hint::folder(path);
    let failed = |source| MigrationError::File {
        path: folder.to_owned(),
        source,
    };
    let mut make = DirBuilder::new();
    make.recursive(true).mode(0o700);
    make.create(folder).map_err(failed)?;
    let folder_handle = File::open(folder).map_err(failed)?;
    folder_handle.lock().map_err(failed)?;
    Ok(folder_handle)
}
