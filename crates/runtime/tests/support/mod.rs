//! What several test files need: a directory of its own for each test, with a database
//! URL in it, and settings read from nowhere else.

use std::fs;
use std::path::PathBuf;

use smart_notes_runtime::settings::{LoadOptions, Settings};

/// Long enough for a key, and obviously not one.
pub const KEY: &str = "an-example-key-of-at-least-32-bytes!";

/// A directory that goes away with the test.
pub struct Place(tempfile::TempDir);

impl Place {
    /// An empty directory.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Development with the database in this directory, and no other source.
    pub fn options(&self) -> LoadOptions {
        let url = format!("sqlite://{}", self.path("notes.db").display());
        LoadOptions {
            dotenv: Some(self.path(".env")),
            ..LoadOptions::default()
        }
        .with_variable("SMART_NOTES__DATABASE__URL", url)
    }

    /// The least that production accepts.
    pub fn production(&self) -> LoadOptions {
        self.options()
            .with_variable("SMART_NOTES__ENV", "production")
            .with_variable("SECRET_KEY", KEY)
            .with_variable("SMART_NOTES__SMTP__RELAYS", "smtp://mail.example.com")
            .with_variable("SMART_NOTES__SMTP__FROM", "Notes <no-reply@notes.test>")
    }
}

/// Development with one variable set.
pub fn with(place: &Place, key: &str, value: &str) -> LoadOptions {
    place
        .options()
        .with_variable(format!("SMART_NOTES__{key}"), value)
}

/// Loads settings that must be good.
#[track_caller]
pub fn load(options: &LoadOptions) -> Settings {
    Settings::load(options).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads settings that must be bad; returns what an operator reads.
#[track_caller]
pub fn refused(options: &LoadOptions) -> String {
    Settings::load(options)
        .expect_err("these settings must be refused")
        .to_string()
}

/// The value and the source of a key, as `smart-notes config` shows them.
pub fn row(settings: &Settings, key: &str) -> (String, String) {
    let row = settings
        .explain()
        .into_iter()
        .find(|row| row.key == key)
        .unwrap();
    (row.value, row.source.to_string())
}
