//! A folder of its own for each test, and the settings that point into it.

use std::path::{Path, PathBuf};

use runtime::settings::{LoadOptions, Settings};
use tempfile::TempDir;

/// Long enough for a key, and obviously not one.
const KEY: &str = "an-example-key-of-at-least-32-bytes!";

/// A folder and the variables of the environment that programs in it are given. The folder goes
/// away with the test, unless the test fails: then it stays, with the logs in it.
pub struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    /// An empty folder, and settings with its database, a key, any free port, and limits lifted.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("smart-notes-test-").unwrap();
        let url = format!("sqlite://{}", folder.path().join("notes.db").display());
        let mut place = Self {
            folder,
            variables: Vec::new(),
        };
        place.set("DATABASE_URL", &url);
        place.set("SECRET_KEY", KEY);
        place.set("SMART_NOTES__HTTP__LISTEN", "127.0.0.1:0");
        place.set("SMART_NOTES__LOG__LEVEL", "debug");
        place.set("SMART_NOTES__LIMITS__ENABLED", "false");
        place
    }

    /// Sets a variable, in place of an earlier one of that name.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// The variables.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The settings as a program with these variables would load them.
    pub fn settings(&self) -> Settings {
        let mut options = LoadOptions::default();
        for (name, value) in &self.variables {
            options = options.with_variable(name, value);
        }
        Settings::load(&options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        let mut variables = self.variables.iter();
        let url = variables.find(|(name, _)| name == "DATABASE_URL");
        let (_, url) = url.expect("set from the beginning");
        PathBuf::from(url.trim_start_matches("sqlite://"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("kept for a look: {}", self.path().display());
        }
    }
}
