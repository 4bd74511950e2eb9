//! The development key: made once, next to the database, for whoever comes first.
//!
//! Apart from the keys because API and worker start at the same moment and both may find
//! no file. The key is written under a name of its own and then given the real one, which
//! fails if somebody else was quicker; then theirs is read. Nobody ever sees half a key.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Bytes from the system's random source; twice as many hex digits are written.
const RANDOM_BYTES: usize = 32;

/// Why there is no development key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyFileError {
    /// The directory or the file can't be read or made.
    #[error("{what} failed: {error}. Mend the permissions, or set SECRET_KEY")]
    Io { what: String, error: io::Error },
    /// The system has no random source.
    #[error("the system's random source failed: {0}. Set SECRET_KEY")]
    Random(getrandom::Error),
    /// The file is not as this module writes it.
    #[error(
        "the file does not hold 64 hex digits. Remove it to have a new one made, which ends codes under way"
    )]
    Damaged,
}

/// The key in `file`, after making the file if there is none: 64 hex digits, mode 0600.
pub(super) fn load_or_create(file: &Path) -> Result<String, KeyFileError> {
    if let Some(key) = load(file)? {
        return Ok(key);
    }
    create(file)?;
    parse(&fs::read_to_string(file).map_err(failed("reading", file))?)
}

/// The key in `file`, if the file is there.
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

/// Makes the file unless somebody else does so first.
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
