//! Selects the log lines: the operator's directives, without the libraries that must never log.
//!
//! Separate from the format of lines because this protects secrets (ASVS 16.2.5): the mail
//! libraries log every SMTP line, including codes, passwords and addresses, and no setting enables
//! them. Held by `the_mail_libraries_are_never_heard`.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterFn, Targets, filter_fn};

/// The mail libraries, which are never logged at any level: the worker's and the catcher's.
const NEVER: [&str; 2] = ["lettre", "mailin"];

/// Libraries that stay at `warn` unless `log.level` names them: at `debug` they log every packet
/// and statement.
const QUIET: [&str; 18] = [
    "apalis",
    "apalis_core",
    "apalis_sql",
    "apalis_sqlite",
    "axum",
    "h2",
    "hyper",
    "hyper_util",
    "inotify",
    "log",
    "mio",
    "reqwest",
    "rustls",
    "sqlx",
    "sqlx_core",
    "tokio",
    "tower",
    "tower_http",
];

/// The reason why `log.level` is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// The value is empty, which would log only errors.
    #[error("is empty. Write a level: {LEVELS}")]
    Empty,
    /// The value is a single word that is not a level. It would be read as the name of a module,
    /// and disable all others.
    #[error("`{0}` is not a level. Write one of {LEVELS}; for one module, {0}=debug")]
    Word(String),
    /// The value is not a valid directive.
    #[error("can't be read: {0}. Write a level, or directives like info,smart_notes_worker=debug")]
    Directive(String),
    /// The value names a library whose log lines contain codes, passwords and addresses.
    #[error(
        "`{0}` logs codes, passwords and addresses and is always disabled. Remove it; the worker's own lines have the stage and the reply"
    )]
    Never(&'static str),
}

const LEVELS: &str = "off, error, warn, info, debug, trace";

/// Checks `log.level`.
pub(crate) fn check(level: &str) -> Result<(), LevelError> {
    directives(level).map(drop)
}

/// The operator's own directives.
pub(super) fn directives(level: &str) -> Result<EnvFilter, LevelError> {
    if level.trim().is_empty() {
        return Err(LevelError::Empty);
    }
    for directive in level.split(',').map(str::trim) {
        let word = directive
            .chars()
            .all(|c| c.is_alphanumeric() || "_-:.".contains(c));
        if word && directive.parse::<LevelFilter>().is_err() {
            return Err(LevelError::Word(directive.to_owned()));
        }
    }
    if let Some(library) = named(level).find_map(never) {
        return Err(LevelError::Never(library));
    }
    EnvFilter::builder()
        .parse(level)
        .map_err(|error| LevelError::Directive(error.to_string()))
}

/// Libraries at `warn`, except those that the operator's directives name. A line must pass both
/// filters, so this never logs more than the operator configured.
pub(super) fn quiet_libraries(level: &str) -> Targets {
    Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(QUIET.map(|library| (library, LevelFilter::WARN)))
        .with_targets(named(level).map(|target| (target, LevelFilter::TRACE)))
}

/// Blocks the mail libraries, by target and by module.
pub(super) fn no_mail_library() -> FilterFn {
    filter_fn(|metadata: &Metadata<'_>| {
        let module = metadata.module_path().and_then(never);
        never(metadata.target()).or(module).is_none()
    })
}

/// The mail library that a target belongs to.
fn never(target: &str) -> Option<&'static str> {
    NEVER.into_iter().find(|library| {
        target
            .strip_prefix(library)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// The targets of directives: the text before `=` or `[`.
fn named(level: &str) -> impl Iterator<Item = &str> {
    level.split(',').filter_map(|directive| {
        let end = directive.find(['=', '['])?;
        Some(directive[..end].trim()).filter(|target| !target.is_empty())
    })
}
