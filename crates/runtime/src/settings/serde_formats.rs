//! Serde formats of values: seconds, milliseconds, comma lists, texts that parse.
//!
//! Separate from the sections because several share each format. Used by their `#[serde(with =
//! "…")]` attributes, for reading and for showing.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// A hundred years: a longer duration is a mistake and would overflow the arithmetic of timestamps.
const MAX_SECONDS: u64 = 100 * 366 * 86_400;

/// A [`std::time::Duration`] as whole seconds.
pub(super) mod seconds {
    use std::time::Duration;

    use super::{Deserialize, Deserializer, MAX_SECONDS, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_secs())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = u64::deserialize(from)?;
        if seconds > MAX_SECONDS {
            return Err(serde::de::Error::custom(format!(
                "{seconds} seconds are more than a hundred years. Write fewer"
            )));
        }
        Ok(Duration::from_secs(seconds))
    }
}

/// A [`std::time::Duration`] as whole days.
pub(super) mod days {
    use std::time::Duration;

    use super::{Deserialize, Deserializer, MAX_SECONDS, Serializer};

    const DAY: u64 = 86_400;

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_secs() / DAY)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let days = u64::deserialize(from)?;
        if days > MAX_SECONDS / DAY {
            return Err(serde::de::Error::custom(format!(
                "{days} days are more than a hundred years. Write fewer"
            )));
        }
        Ok(Duration::from_secs(days * DAY))
    }
}

/// A [`std::time::Duration`] as whole hours.
pub(super) mod hours {
    use std::time::Duration;

    use super::{Deserialize, Deserializer, MAX_SECONDS, Serializer};

    const HOUR: u64 = 3600;

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_secs() / HOUR)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let hours = u64::deserialize(from)?;
        if hours > MAX_SECONDS / HOUR {
            return Err(serde::de::Error::custom(format!(
                "{hours} hours are more than a hundred years. Write fewer"
            )));
        }
        Ok(Duration::from_secs(hours * HOUR))
    }
}

/// A [`std::time::Duration`] as whole milliseconds.
pub(super) mod millis {
    use std::time::Duration;

    use super::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u32::deserialize(from).map(|millis| Duration::from_millis(millis.into()))
    }
}

/// A value that is written as text.
pub(super) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use super::{Deserialize, Deserializer, Serializer};

    pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?
            .trim()
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// An optional path; an empty text means none.
pub(super) mod optional_path {
    use std::path::{Path, PathBuf};

    use super::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub fn serialize<S: Serializer>(value: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&value.as_deref().unwrap_or(Path::new("")).display())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        let written = String::deserialize(from)?;
        Ok((!written.is_empty()).then(|| PathBuf::from(written)))
    }
}

/// An optional secret; a blank text means none. Only its length is shown.
pub(super) mod optional_secret {
    use secrecy::{ExposeSecret as _, SecretString};

    use super::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub fn serialize<S: Serializer>(
        value: &Option<SecretString>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(secret) => {
                let bytes = secret.expose_secret().len();
                to.collect_str(&format_args!("*** ({bytes} bytes)"))
            }
            None => to.serialize_str(""),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SecretString>, D::Error> {
        let written = String::deserialize(from)?;
        let secret = written.trim();
        Ok((!secret.is_empty()).then(|| SecretString::from(secret)))
    }
}

/// An optional address to listen on; an empty text means none. A port alone means the loopback
/// address.
pub(super) mod optional_listen {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub fn serialize<S: Serializer>(value: &Option<SocketAddr>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(address) => to.collect_str(address),
            None => to.serialize_str(""),
        }
    }

    /// A port: a number in a file, a text in a variable.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Port(u16),
        Text(String),
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
        let alone = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let written = match Written::deserialize(from)? {
            Written::Port(port) => return Ok(Some(alone(port))),
            Written::Text(written) => written,
        };
        let written = written.trim();
        if written.is_empty() {
            return Ok(None);
        }
        let address = written.parse().or_else(|_| written.parse().map(alone));
        address.map(Some).map_err(|_| {
            serde::de::Error::custom(format!(
                "`{}` is neither a port nor an address with a port. Write 9464 for 127.0.0.1:9464, or \
                 digits like 10.0.0.7:9464 or [::1]:9464, or nothing to serve no metrics",
                written.escape_debug()
            ))
        })
    }
}

/// A list, which may also be written as one text with commas, as in a variable.
pub(super) mod list {
    use std::fmt::Display;
    use std::str::FromStr;

    use super::{Deserializer, Serializer, custom, texts};

    pub fn serialize<T: Display, S: Serializer>(value: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(value.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        texts(from)?
            .iter()
            .map(|item| item.parse().map_err(custom))
            .collect()
    }
}

fn custom<E: serde::de::Error>(error: impl fmt::Display) -> E {
    E::custom(error)
}

/// The items of a list: those of an array unchanged, those of a text split at commas and trimmed.
pub(super) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    from.deserialize_any(ListVisitor)
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts, or one text with commas")
    }

    fn visit_str<E: serde::de::Error>(self, written: &str) -> Result<Self::Value, E> {
        let items = written
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        Ok(items.map(str::to_owned).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<String>()? {
            if item.is_empty() {
                return Err(A::Error::custom("an item of the list is empty. Remove it"));
            }
            items.push(item);
        }
        Ok(items)
    }
}
