//! The secret keys: what signs and what still verifies.
//!
//! Apart from the sections because the key can come from four places (a variable, a file,
//! the settings file, or in development a file made on the spot) and must never be seen.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretSlice};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::error::{Missing, Problem};
use super::layers::Layers;
use super::source::Source;
use super::{Env, Settings, key_file, reader, units};

/// Fewest bytes of a key: as many as the output of the HMAC-SHA-256 it feeds (RFC 2104 §3).
const MIN_BYTES: usize = 32;

const TOO_SHORT: &str = "bytes are too few for a secret key: 32 are needed. Make one with \
                         `openssl rand -hex 32`";

/// The keys in force. `Debug` and serialising mask them.
#[derive(Clone, Debug)]
pub struct SecretKeys {
    /// Signs and verifies; 32 bytes or more.
    pub current: SecretSlice<u8>,
    /// Former keys, newest first as the operator lists them: they only verify.
    pub fallbacks: Vec<SecretSlice<u8>>,
    /// `secret_key_file`, if the key was read from there.
    pub file: Option<PathBuf>,
}

/// The keys as written; empty texts are not set.
struct Written {
    key: String,
    file: PathBuf,
    fallbacks: Vec<String>,
}

/// A list of texts on its own, outside a section's struct.
#[derive(Deserialize)]
struct Texts(#[serde(deserialize_with = "units::texts")] Vec<String>);

impl SecretKeys {
    /// Stands in until [`resolve`] has run.
    pub(super) fn unresolved() -> Self {
        Self {
            current: Vec::new().into(),
            fallbacks: Vec::new(),
            file: None,
        }
    }
}

/// Finds the keys, reports what is wrong with them, and fills them in; the error is that there
/// is none. Makes a key file only if nothing else is wrong, so that a start that is refused
/// leaves nothing behind, and never if it is to go on `keyless`: then a key that can't be read
/// is one that is not there.
pub(super) fn resolve(
    settings: &mut Settings,
    keyless: bool,
    layers: &mut Layers,
    problems: &mut Vec<Problem>,
) -> Result<(), Missing> {
    let Some(written) = read(layers, problems) else {
        return Ok(());
    };

    let fallbacks = written.fallbacks;
    for key in fallbacks.iter().filter(|key| key.len() < MIN_BYTES) {
        report(
            layers,
            problems,
            "secret_key_fallbacks",
            format!("{} {TOO_SHORT}", key.len()),
        );
    }
    settings.secret_keys.fallbacks = fallbacks
        .into_iter()
        .map(|key| key.into_bytes().into())
        .collect();

    if problems
        .iter()
        .any(|problem| problem.key.starts_with("secret_key"))
    {
        return Ok(()); // it was written, only wrongly: neither missing nor to be generated
    }

    let file = Some(written.file).filter(|file| file != Path::new(""));
    let key = match (written.key, file) {
        (key, None) if key.is_empty() => match settings.env {
            Env::Production => {
                return Err(missing(
                    "production generates none. Set SECRET_KEY, or secret_key_file, to what \
                     `openssl rand -hex 32` prints",
                ));
            }
            Env::Development if !problems.is_empty() => return Ok(()),
            Env::Development => match generated(settings, keyless).transpose() {
                Some(found) => found,
                None => return Err(missing("the first start makes one")),
            },
        },
        (key, None) => Ok((key, layers.source_of("secret_key"))),
        (key, Some(_)) if !key.is_empty() => {
            let other = layers.source_of("secret_key");
            let message = format!("secret_key is set as well ({other}). Keep one of them");
            report(layers, problems, "secret_key_file", message);
            return Ok(());
        }
        (_, Some(file)) => {
            settings.secret_keys.file = Some(file.clone());
            first_line(&file).map(|key| (key, Source::File(file)))
        }
    };
    match key {
        Ok((key, source)) if key.len() < MIN_BYTES => problems.push(Problem {
            key: "secret_key".into(),
            source: Some(source),
            message: format!("{} {TOO_SHORT}", key.len()),
        }),
        Ok((key, source)) => {
            settings.secret_keys.current = key.into_bytes().into();
            settings.sources.insert("secret_key".into(), source);
        }
        Err(problem) if keyless => return Err(missing(problem.to_string())),
        Err(problem) => problems.push(problem),
    }
    Ok(())
}

fn missing(why: impl Into<String>) -> Missing {
    Missing {
        key: "secret_key",
        source: None,
        why: why.into(),
    }
}

fn read(layers: &mut Layers, problems: &mut Vec<Problem>) -> Option<Written> {
    Some(Written {
        key: reader::read("secret_key", layers, problems)?,
        file: reader::read("secret_key_file", layers, problems)?,
        fallbacks: reader::read::<Texts>("secret_key_fallbacks", layers, problems)?.0,
    })
}

fn report(layers: &Layers, problems: &mut Vec<Problem>, key: &str, message: String) {
    let source = Some(layers.source_of(key));
    problems.push(Problem {
        key: key.to_owned(),
        source,
        message,
    });
}

/// The development key next to the database, made if it is not there yet and may be.
fn generated(settings: &Settings, keyless: bool) -> Result<Option<(String, Source)>, Problem> {
    let file = settings.database.url.directory().join("secret_key");
    let key = if keyless {
        key_file::load(&file)
    } else {
        key_file::load_or_create(&file).map(Some)
    };
    key.map(|key| key.map(|key| (key, Source::Generated(file.clone()))))
        .map_err(|error| Problem {
            key: "secret_key".into(),
            source: Some(Source::Generated(file)),
            message: error.to_string(),
        })
}

fn first_line(file: &Path) -> Result<String, Problem> {
    let text = std::fs::read_to_string(file).map_err(|error| Problem {
        key: "secret_key_file".into(),
        source: Some(Source::File(file.to_owned())),
        message: format!("can't be read: {error}. Mend the file or its permissions"),
    })?;
    Ok(text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned())
}

/// Shows that a key is there and how long it is.
fn masked(key: &SecretSlice<u8>) -> String {
    format!("*** ({} bytes)", key.expose_secret().len())
}

impl Serialize for SecretKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let fallbacks: Vec<_> = self.fallbacks.iter().map(masked).collect();

        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("secret_key", &masked(&self.current))?;
        map.serialize_entry("secret_key_file", &file.display().to_string())?;
        map.serialize_entry("secret_key_fallbacks", &fallbacks)?;
        map.end()
    }
}
