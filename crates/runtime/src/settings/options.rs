//! Where [`Settings::load`](super::Settings::load) is to look.
//!
//! Everything the process would otherwise reach for (its environment, its working
//! directory) is an argument here, so that tests change neither.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The places to read settings from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file of `--config`; it must exist.
    pub config_file: Option<PathBuf>,
    /// The `.env` file, if one is to be read; it need not exist.
    pub dotenv: Option<PathBuf>,
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
    /// What a program uses: this process's environment, and `.env` in its working directory.
    #[must_use]
    pub fn from_process() -> Self {
        Self {
            dotenv: Some(PathBuf::from(".env")),
            env: std::env::vars_os().collect(),
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
