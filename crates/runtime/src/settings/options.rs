//! The sources that [`Settings::load`](super::Settings::load) reads.
//!
//! The environment and the working directory are arguments here, so that tests need not change
//! those of the process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Names the settings file if `--config` does not.
const CONFIG_VARIABLE: &str = "SMART_NOTES_CONFIG";

/// The sources to read settings from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file of `--config` or `SMART_NOTES_CONFIG`; it must exist.
    pub config_file: Option<PathBuf>,
    /// The `.env` file, if one should be read; it need not exist.
    pub dotenv: Option<PathBuf>,
    /// The file of `--env-file`, which replaces the `.env` file; it must exist.
    pub env_file: Option<PathBuf>,
    /// The environment variables; unknown ones are ignored.
    pub env: BTreeMap<OsString, OsString>,
    /// Keys and values from command-line flags, like `("http.listen", "127.0.0.1:0")`, written as
    /// in an environment variable: lists with commas, all values as text.
    pub overrides: Vec<(String, String)>,
    /// Whether the process only inspects and needs no key, relay or sender. If one is missing, that
    /// is a remark in [`Settings::explain`](super::Settings::explain) instead of an error, and no
    /// key file is created. Such settings are not valid for a serving process.
    pub inspect_only: bool,
}

impl LoadOptions {
    /// The options of a program: the environment of this process, and the files of its command line
    /// (`--config`, `--env-file`).
    #[must_use]
    pub fn from_process(config: Option<PathBuf>, env_file: Option<PathBuf>) -> Self {
        Self::of_program(std::env::vars_os().collect(), config, env_file)
    }

    /// The same for a given environment. `SMART_NOTES_CONFIG` may also name the settings file. With
    /// a settings file, `.env` in the working directory is not read, because another user may have
    /// written it.
    #[must_use]
    pub fn of_program(
        env: BTreeMap<OsString, OsString>,
        config: Option<PathBuf>,
        env_file: Option<PathBuf>,
    ) -> Self {
        let named = env.get(OsStr::new(CONFIG_VARIABLE));
        let named = named.filter(|name| !name.is_empty()).map(PathBuf::from);
        let config_file = config.or(named);
        let dotenv = config_file.is_none().then(|| PathBuf::from(".env"));
        Self {
            config_file,
            dotenv,
            env_file,
            env,
            ..Self::default()
        }
    }

    /// Sets the field of this name, for a command that only inspects.
    #[must_use]
    pub fn inspect_only(mut self) -> Self {
        self.inspect_only = true;
        self
    }

    /// Adds the file of `--config`.
    #[must_use]
    pub fn with_config_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config_file = Some(file.into());
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Adds the value of a command-line flag.
    #[must_use]
    pub fn with_override(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.push((key.into(), value.into()));
        self
    }
}
