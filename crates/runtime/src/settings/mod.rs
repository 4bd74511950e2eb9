//! The settings of the operator: read from every source, typed, and checked as a whole.
//!
//! Separate from the programs because every program reads the same settings and must refuse the
//! same mistakes. [`Settings::load`] is called first thing in `main`; nothing else in the workspace
//! reads the environment for its behaviour.
//!
//! Sources, later ones win: the embedded `config/default.toml`, `--config FILE` (or the file that
//! `SMART_NOTES_CONFIG` names), `--env-file FILE` (or, without a settings file, `.env` in the
//! working directory), environment variables, command-line flags. Any key is a variable as well
//! (`SMART_NOTES__OTP__TTL_SECONDS`); variables of the service that this one replaces
//! (`SECRET_KEY`, `EMAIL_HOST_USER`, …) are translated in `legacy_env.rs`. `renamed.rs` translates
//! former names of keys.
//!
//! A new setting is a documented field in its section's struct and a commented line in
//! `config/default.toml`; the test `every_field_stands_in_the_default_file_and_back` fails
//! while either lacks the other.

mod accounts;
mod check;
mod database;
mod defaults;
mod dotenv;
mod error;
mod explain;
mod http;
mod key_file;
mod layers;
mod legacy_env;
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
mod renamed;
mod secret_keys;
mod sender;
mod serde_formats;
mod smtp;
mod source;
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

/// The settings of a process. A value of this type has passed all checks.
///
/// Serialising shows every value under its key, with secrets masked; so does `Debug`.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// `env`: whether this is a development machine or a production service.
    pub env: Env,
    /// `secret_key`, `secret_key_file` and `secret_key_fallbacks`.
    #[serde(flatten)]
    pub secret_keys: SecretKeys,
    /// `[http]`: the API's socket, timeouts and connection limits.
    pub http: Http,
    /// `[database]`: the database, and how it is opened.
    pub database: Database,
    /// `[smtp]`: the relays and the sender of mail.
    pub smtp: Smtp,
    /// `[otp]`: one-time codes.
    pub otp: Otp,
    /// `[accounts]`: registrations, passwords and sessions.
    pub accounts: Accounts,
    /// `[notes]`: how many notes a user may have, and for how long deleted ones are kept.
    pub notes: Notes,
    /// `[payments]`: the secrets of payment services, and which products mean premium.
    pub payments: Payments,
    /// `[limits]`: rates and budgets.
    pub limits: Limits,
    /// `[worker]`: the process that sends mail.
    pub worker: Worker,
    /// `[log]`: what is logged, and in which shape.
    pub log: Log,
    /// The source of each key that was set.
    #[serde(skip)]
    sources: BTreeMap<String, Source>,
    /// Missing settings that a serving process needs; empty unless loaded with `inspect_only`.
    #[serde(skip)]
    missing: Vec<error::Missing>,
    /// Warnings about unread variables and former names of keys, one sentence each.
    #[serde(skip)]
    warnings: Vec<String>,
}

impl Settings {
    /// Warnings about misspelt variables that are not read, and about former names of keys, one
    /// sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Logs each warning.
    pub fn log_warnings(&self) {
        for sentence in &self.warnings {
            tracing::warn!("{sentence}");
        }
    }

    /// Missing settings that a serving process needs, each with the reason that follows "is not
    /// set, and". Empty unless loaded with `inspect_only`.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.missing
            .iter()
            .map(|missing| (missing.key, &*missing.why))
    }
}

/// `env`: the environment of the process. It changes which settings are accepted at start, never a
/// response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// A development machine: every setting has a default that works on one machine.
    Development,
    /// A production service: settings that are only safe in development are refused at start.
    Production,
}
