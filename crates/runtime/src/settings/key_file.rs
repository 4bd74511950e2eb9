//! The development key: generated once, next to the database, by the first process that starts.
//!
//! Separate from the keys because the API and the worker start at the same time and both may find
//! no file. The key is written to a temporary file and then linked to the real name, which fails if
//! another process was faster; then that process's key is read. No process ever sees a partial key.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// The number of random bytes; the file holds twice as many hex digits.
const RANDOM_BYTES: usize = 32;

/// The reason why there is no development key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyFileError {
    /// The directory or the file can't be read or created.
    #[error("{what} failed: {error}. Fix the permissions, or set SECRET_KEY")]
    Io { what: String, error: io::Error },
    /// The operating system has no random source.
    #[error("the system's random source failed: {0}. Set SECRET_KEY")]
    Random(getrandom::Error),
    /// The file does not have the format that this module writes.
    #[error(
        "the file does not contain 64 hex digits. Remove it, and the next start generates a new key; codes already mailed become invalid"
    )]
    Damaged,
}

/// Reads the key in `file`, or generates the file if it does not exist: 64 hex digits, mode 0600.
pub(super) fn load_or_create(file: &Path) -> Result<String, KeyFileError> {
    if let Some(key) = load(file)? {
        return Ok(key);
    }
    create(file)?;
    parse(&fs::read_to_string(file).map_err(failed("reading", file))?)
}

/// Reads the key in `file`, if the file exists.
pub(super) fn load(file: &Path) -> Result<Option<String>, KeyFileError> {
    match fs::read_to_string(file) {
        Ok(text) => parse(&text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("reading", file)(error)),
    }
}

fn parse(text: &str) -> Result<String, KeyFileError> {
    let key = text.trim_end();
    let whole = key.len() == 2 * RANDOM_BYTES && key.bytes().all(|b| b.is_ascii_hexdigit());
    if whole {
        Ok(key.to_owned())
    } else {
        Err(KeyFileError::Damaged)
    }
}

/// Creates the file, unless another process does so first.
fn create(file: &Path) -> Result<(), KeyFileError> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed("making", directory))?;

    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(KeyFileError::Random)?;

    let mut temporary = tempfile::Builder::new()
        .prefix(".secret_key.")
        .tempfile_in(directory) // mode 0600
        .map_err(failed("writing in", directory))?;
    writeln!(temporary, "{}", hex::encode(random))
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(failed("writing", temporary.path()))?;
    match temporary.persist_noclobber(file) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed("making", file)(error.error)),
    }
}

fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let what = format!("{doing} {}", path.display());
    move |error| KeyFileError::Io { what, error }
}
