//! Where log lines go, what they look like, and what can never be in them.
//!
//! Apart from the settings because this is the one place that sees every line of every
//! crate. Called once by each `main`, right after the settings were read:
//! [`init`]`(&settings.log)`. Only `log.level` decides; `RUST_LOG` is not read, so that
//! `smart-notes config` shows the whole truth.
//!
//! - text: compact lines for people, coloured only on a terminal and without `NO_COLOR`;
//! - json: one object a line, with the event's fields and those of what it happened in (a
//!   request, with its `request.id`).
//!
//! Both go to standard error. `fields.rs` and `json.rs` escape control characters, `filter.rs` decides
//! which libraries may speak, and `panics.rs` what is said of a panic.

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

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` can't be read. Settings from `Settings::load` have none like that.
    #[error("log.level: {0}")]
    Level(#[from] LevelError),
    /// Something else in this process already receives log lines.
    #[error("telemetry is already running in this process: call init once")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends this process's log lines to standard error, from now to its end; a panic is one of them.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    dispatch(log, std::io::stderr, colours())?.try_init()?;
    panics::log();
    Ok(())
}

/// What [`init`] installs, writing wherever the caller says; `ansi` is for colours. For
/// tests, with `tracing::dispatcher::with_default`.
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

/// Whether to colour: <https://no-color.org> asks for any value that is not empty.
fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}
