//! What the operator asked for: read from every place, checked as a whole, typed.
//!
//! Settings stand apart because every program reads the same ones and must refuse the
//! same mistakes. [`Settings::load`] is called first thing in `main`; nothing else in the
//! workspace reads the environment for its behaviour.
//!
//! Places, later ones win: the embedded `config/default.toml`, `--config FILE` (or the file
//! that `SMART_NOTES_CONFIG` names), `--env-file FILE` (or, where no file of settings is
//! named, `.env` in the working directory), environment variables, command-line flags. Any key is a variable
//! as well (`SMART_NOTES__OTP__TTL_SECONDS`); the names that users of the service this one
//! replaces already have (`SECRET_KEY`, `EMAIL_HOST_USER`, …) are translated in
//! `bare_names.rs`.
//!
//! A new setting is a documented field in its section's struct and a commented line in
//! `config/default.toml`; the test `every_field_stands_in_the_default_file_and_back` fails
//! while either lacks the other.

mod accounts;
mod bare_names;
mod check;
mod database;
mod defaults;
mod dotenv;
mod error;
mod explain;
mod http;
mod key_file;
mod layers;
mod limits;
mod load;
mod log;
mod notes;
mod options;
mod otp;
mod payments;
mod production;
mod reader;
mod relay_url;
mod secret_keys;
mod sender;
mod smtp;
mod source;
mod units;
mod worker;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::accounts::Accounts;
pub use self::database::{Database, DatabaseUrl};
pub use self::error::{Problem, SettingsError};
pub use self::explain::Row;
pub use self::http::{ForwardedHeader, Http};
pub use self::limits::Limits;
pub use self::log::{Log, LogFormat};
pub use self::notes::Notes;
pub use self::options::LoadOptions;
pub use self::otp::Otp;
pub use self::payments::Payments;
pub use self::relay_url::{Credentials, RelaySecurity, RelayUrl};
pub use self::secret_keys::SecretKeys;
pub use self::sender::Sender;
pub use self::smtp::Smtp;
pub use self::source::Source;
pub use self::worker::Worker;

/// Everything a process was told, checked: a value of this type breaks no rule.
///
/// Serialising shows every value under its key, with secrets masked; so does `Debug`.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// `env`: whether this is somebody's laptop or serves people.
    pub env: Env,
    /// `secret_key`, `secret_key_file` and `secret_key_fallbacks`.
    #[serde(flatten)]
    pub secret_keys: SecretKeys,
    /// `[http]`: the API's socket and the patience it has.
    pub http: Http,
    /// `[database]`: which database, and how it is opened.
    pub database: Database,
    /// `[smtp]`: who carries the mail, and as whom it is sent.
    pub smtp: Smtp,
    /// `[otp]`: one-time codes.
    pub otp: Otp,
    /// `[accounts]`: registrations, passwords and sessions.
    pub accounts: Accounts,
    /// `[notes]`: how many there may be.
    pub notes: Notes,
    /// `[payments]`: what payment services prove themselves with, and what of theirs counts.
    pub payments: Payments,
    /// `[limits]`: rates and budgets.
    pub limits: Limits,
    /// `[worker]`: the process that sends mail.
    pub worker: Worker,
    /// `[log]`: what is logged, and in which shape.
    pub log: Log,
    /// Where each key's value came from; keys that are not in here have their default.
    #[serde(skip)]
    sources: BTreeMap<String, Source>,
    /// What is missing for a process that serves; empty unless it was loaded keyless.
    #[serde(skip)]
    missing: Vec<error::Missing>,
    /// Variables that look like ours and are not read, each in a sentence.
    #[serde(skip)]
    unread: Vec<String>,
}

impl Settings {
    /// Variables that look like ours and are not read, each in a sentence with the one that is likely meant.
    #[must_use]
    pub fn unread_variables(&self) -> &[String] {
        &self.unread
    }

    /// Logs the same as warnings.
    pub fn warn_of_unread_variables(&self) {
        for sentence in &self.unread {
            tracing::warn!("{sentence}");
        }
    }

    /// What a process that serves needs and was not told, each key with the reason that follows "is not set, and";
    /// empty unless it was loaded keyless.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.missing
            .iter()
            .map(|missing| (missing.key, &*missing.why))
    }
}

/// `env`: what the process is for. It changes what is accepted at start, never an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// Everything has a default that works on one machine.
    Development,
    /// What is only fit for development is refused at start.
    Production,
}
