//! The database as the programs left it, read from a copy: plain rows, so that a checker's own tests can make them up.

use std::path::Path;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

/// Every row that a checker asks about.
#[derive(Clone, Debug, Default)]
pub struct Database {
    /// What `integrity_check` says; `ok` alone if the file is whole.
    pub integrity: Vec<String>,
    /// How many rows `foreign_key_check` complains of.
    pub broken_keys: i64,
    pub users: Vec<User>,
    pub registrations: Vec<Registration>,
    pub challenges: Vec<Challenge>,
    pub mails: Vec<Mail>,
    pub jobs: Vec<Job>,
    pub tries: Vec<Try>,
    /// Mails whose addresses were refused for good, so that nothing more is sent there.
    pub suppressions: Vec<String>,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    pub email: String,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Registration {
    pub id: String,
    pub email: String,
    /// Of an address that is a user's: its code is never right, and what is mailed is a notice.
    pub decoy: bool,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Challenge {
    pub id: String,
    pub registration_id: Option<String>,
    pub user_id: Option<i64>,
    pub no_account: Option<String>,
    /// From when on its code is of no use, in microseconds since 1970.
    pub died_at: i64,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Mail {
    pub id: String,
    /// Empty when its account is gone.
    pub recipient: String,
    pub challenge_id: Option<String>,
    pub request_id: String,
    pub state: String,
    /// Tries that counted.
    pub tries: i64,
    pub cut_offs: i64,
    /// Workers that died with it in hand.
    pub crashes: i64,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Job {
    pub id: String,
    pub status: String,
    pub locked: bool,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Try {
    pub mail_id: String,
    pub outcome: String,
    pub text: String,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Event {
    pub event: String,
    pub request_id: String,
}

impl Database {
    /// Copies the file, with what stands beside it, and reads the copy.
    pub async fn copied(from: &Path, to: &Path) -> Self {
        for suffix in ["", "-wal", "-shm"] {
            let beside = |path: &Path| path.with_file_name(file_name(path) + suffix);
            if beside(from).exists() {
                std::fs::copy(beside(from), beside(to)).unwrap();
            }
        }
        let options = SqliteConnectOptions::new().filename(to);
        let mut connection = options.connect().await.unwrap();
        let read = Self::read(&mut connection).await;
        connection.close().await.unwrap();
        read
    }

    async fn read(connection: &mut SqliteConnection) -> Self {
        Self {
            integrity: sqlx::query_scalar("select integrity_check from pragma_integrity_check")
                .fetch_all(&mut *connection)
                .await
                .unwrap(),
            broken_keys: sqlx::query_scalar("select count(*) from pragma_foreign_key_check")
                .fetch_one(&mut *connection)
                .await
                .unwrap(),
            users: rows(connection, "select email from users").await,
            registrations: rows(connection, "select id, email, decoy from registrations").await,
            challenges: rows(
                connection,
                "select id, registration_id, user_id, no_account, iif(decoy,
                     coalesce((select ended_at from registrations where registrations.id = registration_id), created_at),
                     min(expires_at,
                     coalesce(used_at, expires_at), coalesce(ended_at, expires_at),
                     coalesce(superseded_at, expires_at))) as died_at
                 from challenges",
            )
            .await,
            mails: rows(
                connection,
                "select id, recipient, challenge_id, request_id, state, tries, cut_offs, crashes from mails",
            )
            .await,
            jobs: rows(
                connection,
                "select id, status, lock_by is not null as locked from Jobs",
            )
            .await,
            tries: rows(connection, "select mail_id, outcome, text from mail_tries").await,
            suppressions: sqlx::query_scalar("select mail_id from suppressions")
                .fetch_all(&mut *connection)
                .await
                .unwrap(),
            events: rows(connection, "select event, request_id from audit").await,
        }
    }
}

async fn rows<T>(connection: &mut SqliteConnection, question: &'static str) -> Vec<T>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    let found = sqlx::query_as(question).fetch_all(connection).await;
    found.unwrap_or_else(|error| panic!("{question}: {error}"))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The moment of a column.
pub fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap()
}
