//! `[database]`: the database, and how it is opened. Read by every process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::http::Http;
use super::serde_formats;

/// The database that the API, the worker and the command line tool share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Database {
    /// The URL of the database.
    #[serde(with = "serde_formats::text")]
    pub url: DatabaseUrl,
    /// `busy_timeout_ms`: how long a statement waits for a lock. It must be below the request
    /// timeout, so that a request never ends while its statement still waits.
    #[serde(rename = "busy_timeout_ms", with = "serde_formats::millis")]
    pub busy_timeout: Duration,
    /// The number of reading connections; one more connection writes.
    pub readers: u32,
}

impl Database {
    pub(super) fn check(&self, http: &Http, checks: &mut Checks<'_>) {
        checks.range(
            "database.busy_timeout_ms",
            self.busy_timeout.as_millis(),
            1..=3_600_000,
        );
        checks.range("database.readers", self.readers, 1..=1024);
        checks.require(
            self.busy_timeout < http.request_timeout,
            "database.busy_timeout_ms",
            format!(
                "{} ms is not below http.request_timeout_seconds ({} s): a request would be \
                 answered while its statement still waits. Lower it, or raise the other",
                self.busy_timeout.as_millis(),
                http.request_timeout.as_secs()
            ),
        );
    }
}

/// The URL of a database. `Display` writes the URL again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An `SQLite` file. `sqlite://a/b.db` is relative to the working directory, `sqlite:///a/b.db`
    /// is absolute; the path is percent-decoded.
    Sqlite {
        /// The path of the database file.
        path: PathBuf,
    },
}

impl DatabaseUrl {
    /// The directory of the database; the working directory is `.`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        let Self::Sqlite { path } = self;
        match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }
}

/// The reason why a database URL is invalid. Contains only the scheme of the URL: the URL of
/// another database may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// A URL of another database, or not a URL.
    #[error("{0} is not supported. Write {SPELLINGS}")]
    Scheme(String),
    /// The URL names no file.
    #[error("the URL contains no file. Write {SPELLINGS}")]
    NoFile,
    /// Options in the URL; they are separate settings.
    #[error(
        "options after `?` or `#` are not supported. Remove them; the keys of `[database]` set options"
    )]
    Options,
    /// An in-memory database, which two processes can't share.
    #[error("the API and the worker can't share an in-memory database. Write {SPELLINGS}")]
    Memory,
}

const SPELLINGS: &str = "sqlite://path/from/the/working/directory.db or sqlite:///absolute/path.db";

/// Characters with a special meaning in the path of a URL.
const IN_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let Some(path) = written.strip_prefix("sqlite://") else {
            return Err(match written.split_once(':') {
                Some(("sqlite", ":memory:")) => DatabaseUrlError::Memory,
                Some((scheme, _)) => DatabaseUrlError::Scheme(format!("`{scheme}:`")),
                None => DatabaseUrlError::Scheme("a value without a scheme".into()),
            });
        };
        if path.contains(['?', '#']) {
            return Err(DatabaseUrlError::Options);
        }
        if path == ":memory:" {
            return Err(DatabaseUrlError::Memory);
        }
        let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
        if decoded.is_empty() || decoded.ends_with('/') {
            return Err(DatabaseUrlError::NoFile);
        }
        Ok(Self::Sqlite {
            path: decoded.into(),
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite { path } = self;
        write!(
            f,
            "sqlite://{}",
            utf8_percent_encode(&path.to_string_lossy(), IN_PATH)
        )
    }
}
