//! Where [`Settings::load`](super::Settings::load) is to look.
//!
//! Everything the process would otherwise reach for (its environment, its working
//! directory) is an argument here, so that tests change neither.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Names the file of settings, where `--config` does not.
const CONFIG_VARIABLE: &str = "SMART_NOTES_CONFIG";

/// The places to read settings from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file of `--config` or `SMART_NOTES_CONFIG`; it must exist.
    pub config_file: Option<PathBuf>,
    /// The `.env` file, if one is to be read; it need not exist.
    pub dotenv: Option<PathBuf>,
    /// The file of `--env-file`, which takes the place of the `.env` file; it must exist.
    pub env_file: Option<PathBuf>,
    /// The environment's variables; those that are none of ours are ignored.
    pub env: BTreeMap<OsString, OsString>,
    /// Keys and values from command-line flags, like `("http.listen", "127.0.0.1:0")`.
    /// Written as in an environment variable: lists with commas, all values as text.
    pub overrides: Vec<(String, String)>,
    /// Whether no key is needed, nor a relay or a sender. What is missing of them is then no
    /// error, but a remark in [`Settings::explain`](super::Settings::explain), and no key file
    /// is made. Such settings are fit for looking at things, not for a process that serves.
    pub keyless: bool,
}

impl LoadOptions {
    /// What a program uses: this process's environment, and the files that its command line names (`--config`,
    /// `--env-file`).
    #[must_use]
    pub fn from_process(config: Option<PathBuf>, env_file: Option<PathBuf>) -> Self {
        Self::of_program(std::env::vars_os().collect(), config, env_file)
    }

    /// The same for a given environment. The file of settings may be named by `SMART_NOTES_CONFIG` as well. Where one
    /// is named, `.env` in the working directory is not read: the folder that a service or an operator happens to be in
    /// may be anybody's.
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

    /// For a command that only looks at things: see the field of this name.
    #[must_use]
    pub fn keyless(mut self) -> Self {
        self.keyless = true;
        self
    }

    /// Adds the file of `--config`.
    #[must_use]
    pub fn with_config_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config_file = Some(file.into());
        self
    }

    /// Sets one variable of the environment that is read.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Adds a value given by a command-line flag.
    #[must_use]
    pub fn with_override(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.push((key.into(), value.into()));
        self
    }
}
