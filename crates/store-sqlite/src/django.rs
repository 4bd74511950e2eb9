//! Reading the database of the service that this one replaces: a file of Django's, never written to.
//!
//! Statements are put together at run time, since the table of users has the name of whatever app
//! it was made in. It is found by its columns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::accounts::import::{Source, SourceToken, SourceUser};
use domain::id::UserId;
use domain::token::SecretHash;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

/// Columns without which a table is not that of the users.
const NEEDED: [&str; 6] = [
    "id",
    "username",
    "email",
    "password",
    "is_active",
    "is_email_verified",
];

/// Every model of Django's that logs in has these.
const LIKELY: [&str; 3] = ["username", "email", "password"];

const TOKENS: &str = "authtoken_token";

/// The highest number of a user that is brought over: half of the whole numbers that floating point holds exactly
/// (2^53) are left for later users.
const HIGHEST: i64 = 1 << 52;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the users can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DjangoError {
    /// There is no such file, or it may not be read.
    #[error("{} can't be opened", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The file is something else, or damaged, or in the middle of a write that was cut off.
    #[error(
        "{} can't be read as an SQLite database. Give Django's db.sqlite3, or a copy made with \
         `sqlite3 db.sqlite3 \".backup copy.sqlite3\"`", .path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// No table looks like that of the users.
    #[error("{} holds no table of users: none has the columns {}", .0.display(), NEEDED.join(", "))]
    NoUsers(PathBuf),
    /// A table looks like it, but for some columns.
    #[error(
        "the table `{table}` lacks {}: its schema is older than what can be imported. Bring it up to \
         date with the old service's `manage.py migrate`, or name another table with --table",
        .missing.join(", ")
    )]
    Older {
        /// The table.
        table: String,
        /// Columns that it lacks.
        missing: Vec<&'static str>,
    },
    /// Several tables look like it.
    #[error("these tables could all be that of the users: {}. Choose one with --table", .0.join(", "))]
    Several(Vec<String>),
    /// There is no table of that name.
    #[error("{} has no table `{table}`", .path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
        /// The table.
        table: String,
    },
    /// A row holds what no such row can hold.
    #[error("a row of `{table}` can't be read")]
    Row {
        /// The table.
        table: String,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// A number that no user can have here.
    #[error("`{table}` has a user with the number {id}: numbers are 1 or more")]
    Number {
        /// The table.
        table: String,
        /// The number.
        id: i64,
    },
    /// A number after which there is no room for those of users to come.
    #[error(
        "`{table}` has a user with the number {id}, which leaves no room for later ones: numbers go up to {HIGHEST}, \
         so that clients that read JSON's numbers as floating point (RFC 8259, section 6) read them right. \
         Give that user a lower number in a copy of the file"
    )]
    NoRoom {
        /// The table.
        table: String,
        /// The number.
        id: i64,
    },
    /// The same, of the highest number that was ever given there.
    #[error(
        "`sqlite_sequence` says that numbers of `{table}` were given up to {highest}, which leaves no room for later \
         ones: they go up to {HIGHEST}. Lower it there in a copy of the file"
    )]
    NoRoomEver {
        /// The table.
        table: String,
        /// The highest number.
        highest: i64,
    },
}

/// What was read.
pub struct Django {
    /// The table of users.
    pub table: String,
    /// Every user.
    pub source: Source,
}

/// Reads every user, in one snapshot. `table`: that of the users, if there are several.
pub async fn read(path: &Path, table: Option<&str>) -> Result<Django, DjangoError> {
    std::fs::File::open(path).map_err(|source| DjangoError::File {
        path: path.to_owned(),
        source,
    })?;
    let broken = |source| DjangoError::NotADatabase {
        path: path.to_owned(),
        source,
    };
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(broken)?;
    sqlx::raw_sql("begin")
        .execute(&mut connection)
        .await
        .map_err(broken)?;
    let tables = tables(&mut connection).await.map_err(broken)?;
    let table = choose(path, &tables, table)?;
    let unreadable = |source| DjangoError::Row {
        table: table.clone(),
        source,
    };
    let mut source = Source {
        users: users(&mut connection, &table, &tables[&table])
            .await
            .map_err(unreadable)?,
        highest: highest(&mut connection, &tables, &table)
            .await
            .map_err(broken)?,
        stray_tokens: 0,
    };
    if let Some(user) = source.users.iter().find(|user| user.id.0 < 1) {
        let id = user.id.0;
        return Err(DjangoError::Number { table, id });
    }
    if let Some(user) = source.users.iter().find(|user| user.id.0 > HIGHEST) {
        let id = user.id.0;
        return Err(DjangoError::NoRoom { table, id });
    }
    if source.highest > HIGHEST {
        let highest = source.highest;
        return Err(DjangoError::NoRoomEver { table, highest });
    }
    if tables.contains_key(TOKENS) {
        add_tokens(&mut connection, &mut source)
            .await
            .map_err(|source| DjangoError::Row {
                table: TOKENS.to_owned(),
                source,
            })?;
    }
    connection.close().await.map_err(broken)?;
    Ok(Django { table, source })
}

/// Every table with its columns.
async fn tables(
    connection: &mut SqliteConnection,
) -> Result<HashMap<String, Vec<String>>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table'",
    )
    .fetch_all(connection)
    .await?;
    let mut tables: HashMap<String, Vec<String>> = HashMap::new();
    for (table, column) in rows {
        tables.entry(table).or_default().push(column);
    }
    Ok(tables)
}

/// The table of users: the one that was named, or the one that has the columns.
fn choose(
    path: &Path,
    tables: &HashMap<String, Vec<String>>,
    named: Option<&str>,
) -> Result<String, DjangoError> {
    let lacks = |table: &str| -> Vec<&'static str> {
        let columns = &tables[table];
        let missing = NEEDED
            .iter()
            .filter(|needed| !columns.iter().any(|column| column == *needed));
        missing.copied().collect()
    };
    let older = |table: &str| DjangoError::Older {
        table: table.to_owned(),
        missing: lacks(table),
    };
    if let Some(table) = named {
        return match tables.get(table) {
            None => Err(DjangoError::NoTable {
                path: path.to_owned(),
                table: table.to_owned(),
            }),
            Some(_) if !lacks(table).is_empty() => Err(older(table)),
            Some(_) => Ok(table.to_owned()),
        };
    }
    let mut fitting: Vec<_> = tables
        .keys()
        .filter(|table| lacks(table).is_empty())
        .collect();
    fitting.sort_unstable();
    match fitting.as_slice() {
        [table] => Ok((*table).clone()),
        [] => {
            let mut likely: Vec<_> = tables
                .keys()
                .filter(|table| !lacks(table).iter().any(|column| LIKELY.contains(column)))
                .collect();
            likely.sort_unstable();
            let none = || DjangoError::NoUsers(path.to_owned());
            Err(likely.first().map_or_else(none, |table| older(table)))
        }
        several => Err(DjangoError::Several(
            several.iter().map(|table| (*table).clone()).collect(),
        )),
    }
}

/// A name as part of a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn users(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[String],
) -> Result<Vec<SourceUser>, sqlx::Error> {
    // Casts give every value the type that is read, whatever the columns are declared as.
    let optional = |column: &str, kind: &str, without: &str| {
        if columns.iter().any(|other| other == column) {
            format!("cast({column} as {kind})")
        } else {
            without.to_owned()
        }
    };
    let statement = format!(
        "select cast(id as integer), cast(username as text), coalesce(cast(email as text), ''),
                coalesce(cast(password as text), ''), coalesce(cast(is_active as integer), 0) <> 0,
                coalesce(cast(is_email_verified as integer), 0) <> 0,
                coalesce({} or {}, 0), {} from {} order by id",
        optional("is_staff", "integer", "0"),
        optional("is_superuser", "integer", "0"),
        optional("date_joined", "text", "null"),
        quoted(table),
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .fetch_all(connection)
        .await?;
    rows.iter().map(user).collect()
}

fn user(row: &SqliteRow) -> Result<SourceUser, sqlx::Error> {
    let joined: Option<String> = row.try_get(7)?;
    let flag = |column: usize| row.try_get::<i64, _>(column).map(|value| value != 0);
    Ok(SourceUser {
        id: UserId(row.try_get(0)?),
        username: row.try_get(1)?,
        email: row.try_get(2)?,
        password: row.try_get::<String, _>(3)?.into(),
        active: flag(4)?,
        verified: flag(5)?,
        staff: flag(6)?,
        joined: joined.as_deref().and_then(moment),
        token: None,
    })
}

/// The highest number ever given.
async fn highest(
    connection: &mut SqliteConnection,
    tables: &HashMap<String, Vec<String>>,
    table: &str,
) -> Result<i64, sqlx::Error> {
    let statement = format!("select coalesce(max(id), 0) from {}", quoted(table));
    let in_use: i64 = sqlx::query_scalar(AssertSqlSafe(statement))
        .fetch_one(&mut *connection)
        .await?;
    if !tables.contains_key("sqlite_sequence") {
        return Ok(in_use);
    }
    let given: Option<i64> =
        sqlx::query_scalar("select cast(seq as integer) from sqlite_sequence where name = ?")
            .bind(table)
            .fetch_optional(connection)
            .await?;
    Ok(given.unwrap_or(0).max(in_use))
}

/// The tokens of Django REST framework, one a user. They leave this function as hashes.
async fn add_tokens(
    connection: &mut SqliteConnection,
    source: &mut Source,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
        "select cast(key as text), cast(created as text), cast(user_id as integer) from authtoken_token",
    )
    .fetch_all(connection)
    .await?;
    let mut tokens: HashMap<UserId, SourceToken> = rows
        .into_iter()
        .map(|(key, created, user)| {
            let token = SourceToken {
                hash: SecretHash::of(&key),
                created: created.as_deref().and_then(moment),
            };
            (UserId(user), token)
        })
        .collect();
    for user in &mut source.users {
        user.token = tokens.remove(&user.id);
    }
    source.stray_tokens = u64::try_from(tokens.len()).unwrap_or(u64::MAX);
    Ok(())
}

/// A time as Django writes it, `2025-03-02 09:30:00.000001` in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let time = text.parse::<Timestamp>().ok();
    time.or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_django_writes_them() {
        for (text, read) in [
            ("2025-03-02 09:30:00", "2025-03-02T09:30:00Z"),
            ("2025-03-02 09:30:00.000001", "2025-03-02T09:30:00.000001Z"),
            (
                "2025-03-02 09:30:00.000001+00:00",
                "2025-03-02T09:30:00.000001Z",
            ),
        ] {
            assert_eq!(moment(text).unwrap().to_string(), read);
        }
        assert_eq!(moment("yesterday"), None);
    }
}
