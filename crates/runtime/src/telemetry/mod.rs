//! Logging: where log lines are written, their format, and what is removed from them.
//!
//! Separate from the settings because this is the only place that sees every line of every crate.
//! Each `main` calls [`init`]`(&settings.log)` once, right after reading the settings. Only
//! `log.level` decides; `RUST_LOG` is not read, so that `smart-notes config` shows the effective
//! level.
//!
//! - text: compact lines for people, coloured only on a terminal and unless `NO_COLOR` is set;
//! - json: one object per line, with the fields of the event and of its spans (a request, with its
//!   `request.id`).
//!
//! Both are written to standard error. `fields.rs` and `json.rs` escape control characters,
//! `filter.rs` selects the libraries that are logged, and `panics.rs` logs panics.

mod fields;
mod filter;
mod json;
mod panics;

use std::io::IsTerminal as _;

use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};

pub use self::filter::LevelError;
pub(crate) use self::filter::check as check_level;
use crate::settings::{Log, LogFormat};

/// The reason why logging could not be initialised.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is invalid. Settings from `Settings::load` are always valid.
    #[error("log.level: {0}")]
    Level(#[from] LevelError),
    /// Logging is already initialised in this process.
    #[error("logging is already running in this process: call init once")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends all log lines of this process to standard error, including panics.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    dispatch(log, std::io::stderr, colours())?.try_init()?;
    panics::log();
    Ok(())
}

/// The dispatcher that [`init`] installs, with the writer of the caller; `ansi` enables colours.
/// For tests, with `tracing::dispatcher::with_default`.
pub fn dispatch<W>(log: &Log, writer: W, ansi: bool) -> Result<Dispatch, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let base = Registry::default()
        .with(filter::directives(&log.level)?)
        .with(filter::quiet_libraries(&log.level))
        .with(filter::no_mail_library());
    Ok(match log.format {
        LogFormat::Text => {
            let text = fmt::layer()
                .compact()
                .with_ansi(ansi)
                .fmt_fields(fields::Escaped);
            base.with(text.with_writer(writer)).into()
        }
        LogFormat::Json => {
            let lines = fmt::layer()
                .json()
                .flatten_event(true)
                .with_span_list(false);
            base.with(lines.with_writer(json::Clean(writer))).into()
        }
    })
}

/// Whether to use colours: per <https://no-color.org>, any non-empty value disables them.
fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}
