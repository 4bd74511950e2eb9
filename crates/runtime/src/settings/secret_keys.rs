//! The secret keys: the current key, which signs, and former keys, which only verify.
//!
//! Separate from the sections because the key can come from four sources (a variable, a file, the
//! settings file, or in development a generated file) and must never be printed.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretSlice};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::error::{Missing, Problem};
use super::layers::Layers;
use super::source::Source;
use super::{Env, Settings, key_file, reader, serde_formats};

/// The minimum length of a key in bytes: the output length of HMAC-SHA-256, which uses it (RFC 2104
/// §3).
const MIN_BYTES: usize = 32;

const TOO_SHORT: &str = "bytes are too few for a secret key: 32 are needed. Generate one with \
                         `openssl rand -hex 32`";

/// The secret keys. `Debug` and serialising mask them.
#[derive(Clone, Debug)]
pub struct SecretKeys {
    /// The current key, which signs and verifies; at least 32 bytes.
    pub current: SecretSlice<u8>,
    /// Former keys, which only verify, newest first as the operator lists them.
    pub fallbacks: Vec<SecretSlice<u8>>,
    /// `secret_key_file`, if the key was read from there.
    pub file: Option<PathBuf>,
}

/// The keys as written; an empty text means not set.
struct Written {
    key: String,
    file: PathBuf,
    fallbacks: Vec<String>,
}

/// A list of texts outside the struct of a section.
#[derive(Deserialize)]
struct Texts(#[serde(deserialize_with = "serde_formats::texts")] Vec<String>);

impl SecretKeys {
    /// A placeholder until [`resolve`] has run.
    pub(super) fn unresolved() -> Self {
        Self {
            current: Vec::new().into(),
            fallbacks: Vec::new(),
            file: None,
        }
    }
}

/// Finds the keys, reports their problems, and fills them in; the error means that there is no key.
/// Creates a key file only if there are no other problems, so that a refused start leaves no file
/// behind, and never with `inspect_only`: then an unreadable key counts as missing.
pub(super) fn resolve(
    settings: &mut Settings,
    inspect_only: bool,
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
                    "production never generates one. Set SECRET_KEY, or secret_key_file, to the output of \
                     `openssl rand -hex 32`",
                ));
            }
            Env::Development if !problems.is_empty() => return Ok(()),
            Env::Development => match generated(settings, inspect_only).transpose() {
                Some(found) => found,
                None => return Err(missing("the first start generates one")),
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
        Err(problem) if inspect_only => return Err(missing(problem.to_string())),
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

/// The development key next to the database, generated if it does not exist and may be.
fn generated(settings: &Settings, inspect_only: bool) -> Result<Option<(String, Source)>, Problem> {
    let file = settings.database.url.directory().join("secret_key");
    let key = if inspect_only {
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
        message: format!("can't be read: {error}. Fix the file or its permissions"),
    })?;
    Ok(text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned())
}

/// A placeholder that shows only the length of a key.
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
