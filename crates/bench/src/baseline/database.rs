//! The least that listing and adding notes takes in SQLite.
//!
//! A database of its own with two bare tables: a token is looked up and rows are selected, or one row is inserted in a
//! commit that many share. No ports, no versions, no limits, no words.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

/// Inserts that share a commit at most, as in the product.
const GROUP: usize = 64;

const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    create table tokens (hash blob primary key, user_id integer not null, expires_at integer not null) strict;
    create table notes (
        id text primary key, user_id integer not null, title text not null, content text not null, tags text not null,
        is_pinned integer not null, is_archived integer not null, created_at integer not null,
        updated_at integer not null, version integer not null
    ) strict;
    create index notes_by_user on notes (user_id, updated_at desc);";

/// A note.
#[derive(Debug, Clone, Default)]
pub struct BareNote {
    /// A UUID.
    pub id: String,
    /// The title.
    pub title: String,
    /// The content.
    pub content: String,
    /// A JSON list.
    pub tags: String,
    /// Whether it stands above others.
    pub pinned: bool,
    /// Whether it is put away.
    pub archived: bool,
    /// Microseconds since 1970-01-01 UTC.
    pub created: i64,
    /// Microseconds since 1970-01-01 UTC.
    pub updated: i64,
    /// From 1.
    pub version: i64,
}

struct Insert {
    user: i64,
    note: BareNote,
    done: oneshot::Sender<()>,
}

/// The bare database. Clones share it.
#[derive(Clone)]
pub struct BareDatabase {
    readers: SqlitePool,
    queue: mpsc::Sender<Insert>,
}

impl BareDatabase {
    /// Makes the database and opens it, with as many readers as the product has.
    pub async fn make(path: &Path, readers: u32) -> Result<Self, sqlx::Error> {
        let options = connect_options(path).create_if_missing(true);
        let mut writer = options.connect().await?;
        sqlx::raw_sql(SCHEMA).execute(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(readers)
            .test_before_acquire(false)
            .connect_with(connect_options(path).pragma("query_only", "on"))
            .await?;
        let (queue, inserts) = mpsc::channel(4096);
        tokio::spawn(write(writer, inserts));
        Ok(Self { readers, queue })
    }

    /// Adds a token that does not expire.
    pub async fn add_token(&self, path: &Path, hash: &[u8], user: i64) -> Result<(), sqlx::Error> {
        let mut connection = connect_options(path).connect().await?;
        sqlx::query("insert into tokens values (?, ?, ?)")
            .bind(hash)
            .bind(user)
            .bind(i64::MAX)
            .execute(&mut connection)
            .await?;
        Ok(())
    }

    /// The user of a token, and that user's newest notes.
    pub async fn list(&self, hash: &[u8], now: i64) -> Result<Option<Vec<BareNote>>, sqlx::Error> {
        let mut connection = self.readers.acquire().await?;
        let user = sqlx::query_scalar::<_, i64>(
            "select user_id from tokens where hash = ? and expires_at > ?",
        )
        .bind(hash)
        .bind(now)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(user) = user else {
            return Ok(None);
        };
        let rows = sqlx::query(
            "select id, title, content, tags, is_pinned, is_archived, created_at, updated_at, version
             from notes where user_id = ? order by updated_at desc limit 20",
        )
        .bind(user)
        .fetch_all(&mut *connection)
        .await?;
        Ok(Some(
            rows.iter()
                .map(|row| BareNote {
                    id: row.get(0),
                    title: row.get(1),
                    content: row.get(2),
                    tags: row.get(3),
                    pinned: row.get(4),
                    archived: row.get(5),
                    created: row.get(6),
                    updated: row.get(7),
                    version: row.get(8),
                })
                .collect(),
        ))
    }

    /// Inserts a note and returns once it is durable. False: the writer has failed.
    pub async fn insert(&self, user: i64, note: BareNote) -> bool {
        let (done, durable) = oneshot::channel();
        let insert = Insert { user, note, done };
        self.queue.send(insert).await.is_ok() && durable.await.is_ok()
    }

    /// Inserts many.
    pub async fn insert_all(&self, user: i64, notes: Vec<BareNote>) -> bool {
        let inserts = notes.into_iter().map(|note| self.insert(user, note));
        join_all(inserts).await.into_iter().all(|done| done)
    }
}

/// As the product opens its database.
fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("secure_delete", "on")
        .pragma("trusted_schema", "off")
        .disable_statement_logging()
}

/// Commits what waits in groups. Ends at the first error, and so do the channels of its callers.
async fn write(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Insert>) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        if commit(&mut connection, &group).await.is_err() {
            return;
        }
        for insert in group.drain(..) {
            let _ = insert.done.send(());
        }
    }
}

async fn commit(connection: &mut SqliteConnection, group: &[Insert]) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("begin immediate")
        .execute(&mut *connection)
        .await?;
    for Insert { user, note, .. } in group {
        sqlx::query("insert into notes values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&note.id)
            .bind(user)
            .bind(&note.title)
            .bind(&note.content)
            .bind(&note.tags)
            .bind(note.pinned)
            .bind(note.archived)
            .bind(note.created)
            .bind(note.updated)
            .bind(note.version)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::raw_sql("commit").execute(connection).await?;
    Ok(())
}
