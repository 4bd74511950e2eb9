//! Which lines are written: the operator's directives, less what libraries must not say.
//!
//! Apart from the shape of lines because this is a rule of secrecy (ASVS 16.2.5): the mail
//! libraries write every SMTP line, codes, passwords and addresses included, and no setting
//! can make them heard. Held by `the_mail_libraries_are_never_heard`.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterFn, Targets, filter_fn};

/// The mail libraries, silent at every level: the one that sends, and the catcher's.
const NEVER: [&str; 2] = ["lettre", "mailin"];

/// Libraries that stay at `warn` unless `log.level` names them: at `debug` they write a
/// line for every packet and statement.
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

/// Why `log.level` can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No directive at all would log errors only, which nobody means.
    #[error("is empty. Write a level: {LEVELS}")]
    Empty,
    /// A single word that is no level would be taken for a module's name, and silence all
    /// others.
    #[error("`{0}` is no level. Write one of {LEVELS}; for one module, {0}=debug")]
    Word(String),
    /// Not a directive.
    #[error("can't be read: {0}. Write a level, or directives like info,smart_notes_worker=debug")]
    Directive(String),
    /// Names a library whose lines hold codes, passwords and addresses.
    #[error(
        "`{0}` writes codes, passwords and addresses and is never logged. Take it out; the worker's own lines tell stage and reply"
    )]
    Never(&'static str),
}

const LEVELS: &str = "off, error, warn, info, debug, trace";

/// Whether `log.level` can be used.
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

/// Libraries at `warn`, except those that the operator's directives name. Both filters
/// must let a line through, so this never makes one louder than the operator said.
pub(super) fn quiet_libraries(level: &str) -> Targets {
    Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(QUIET.map(|library| (library, LevelFilter::WARN)))
        .with_targets(named(level).map(|target| (target, LevelFilter::TRACE)))
}

/// Lets everything through but the mail libraries, by their targets and by their modules.
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

/// The targets that directives name: what stands before `=` or `[`.
fn named(level: &str) -> impl Iterator<Item = &str> {
    level.split(',').filter_map(|directive| {
        let end = directive.find(['=', '['])?;
        Some(directive[..end].trim()).filter(|target| !target.is_empty())
    })
}
