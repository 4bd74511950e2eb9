//! Environment variables without the `SMART_NOTES__` prefix, known from the service that this one
//! replaces and from hosting platforms, translated to settings keys.
//!
//! Separate from the layers because several of them are more than another name for a key. In the
//! same source (`.env` or the environment), the `SMART_NOTES__…` name wins over the unprefixed one;
//! an empty variable counts as not set. Other programs use `DEBUG` and `PORT` as well, so `DEBUG`
//! has an effect only with the exact value `True`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use figment::value::{Dict, Value};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Env;
use super::error::Problem;
use super::layers::Layers;
use super::source::Source;

/// All variables that are read without the prefix.
pub(super) const NAMES: [&str; 7] = [
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "DEBUG",
    "DATABASE_URL",
    "PORT",
    "EMAIL_HOST_USER",
    "EMAIL_HOST_PASSWORD",
];

/// The unprefixed variables in effect: those of the environment, else those of `.env`.
#[derive(Default)]
pub(super) struct LegacyEnv(BTreeMap<String, (String, Source)>);

impl LegacyEnv {
    /// Adds a variable; a later one wins. Other names are ignored.
    pub fn take(&mut self, name: &str, value: &str, source: Source) {
        if NAMES.contains(&name) && !value.is_empty() {
            self.0.insert(name.to_owned(), (value.to_owned(), source));
        }
    }

    /// Translates the variables that are another name for a key, from the sources that `here`
    /// accepts.
    pub fn translate(&self, here: impl Fn(&Source) -> bool, layers: &mut Layers) {
        for (name, (value, source)) in self.0.iter().filter(|(_, (_, source))| here(source)) {
            let key = match name.as_str() {
                "SECRET_KEY" => "secret_key",
                "SECRET_KEY_FALLBACKS" => "secret_key_fallbacks",
                "DATABASE_URL" => "database.url",
                "DEBUG" if value == "True" => {
                    layers.set(source.clone(), "log.level", "debug");
                    layers.set(source.clone(), "log.format", "text");
                    continue;
                }
                _ => continue,
            };
            layers.set(source.clone(), key, value.as_str());
        }
    }

    /// `PORT`: changes the port of `http.listen`, unless that was set in the same source or a
    /// higher one. The host stays. If none was set, production listens on all addresses, because a
    /// platform that assigns ports connects from outside.
    pub fn apply_port(&self, env: Env, layers: &mut Layers, problems: &mut Vec<Problem>) {
        let Some((written, source)) = self.0.get("PORT") else {
            return;
        };
        if layers.source_of("http.listen").rank() >= source.rank() {
            return;
        }
        let Ok(port) = written.parse::<u16>() else {
            problems.push(Problem {
                key: "PORT".into(),
                source: Some(source.clone()),
                message: format!(
                    "`{}` is not a port. Write a number up to 65535",
                    written.escape_debug()
                ),
            });
            return;
        };
        let listen = layers
            .text("http.listen")
            .and_then(|l| l.parse::<SocketAddr>().ok());
        let Some(mut listen) = listen else { return }; // reported where it is read
        if env == Env::Production && layers.is_default("http.listen") {
            listen.set_ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        }
        listen.set_port(port);
        layers.set(source.clone(), "http.listen", listen.to_string());
    }

    /// `EMAIL_HOST_USER` and `EMAIL_HOST_PASSWORD`: Gmail's relay, which the original service had
    /// built in, unless relays are set; and the sender, unless it is set.
    pub fn apply_email_host(&self, layers: &mut Layers, problems: &mut Vec<Problem>) {
        let (user, password) = (
            self.0.get("EMAIL_HOST_USER"),
            self.0.get("EMAIL_HOST_PASSWORD"),
        );
        let ((user, source), (password, _)) = match (user, password) {
            (Some(user), Some(password)) => (user, password),
            (None, None) => return,
            (user, password) => {
                let missing = if user.is_none() { NAMES[5] } else { NAMES[6] };
                let (given, other) = if user.is_none() {
                    (NAMES[6], password)
                } else {
                    (NAMES[5], user)
                };
                problems.push(Problem {
                    key: missing.into(),
                    source: other.map(|(_, source)| source.clone()),
                    message: format!("is missing while {given} is set. Set both or neither"),
                });
                return;
            }
        };
        let both = match source.clone() {
            Source::Dotenv { file, .. } => Source::Dotenv {
                file,
                variable: BOTH.into(),
            },
            _ => Source::Environment(BOTH.into()),
        };
        if layers.is_default("smtp.relays") {
            let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
            let relay = format!(
                "smtp://{}:{}@smtp.gmail.com:587",
                encode(user),
                encode(password)
            );
            layers.set(both, "smtp.relays", Value::from(vec![relay]));
        }
        if layers.is_default("smtp.from") {
            layers.set(source.clone(), "smtp.from", user.as_str());
        }
    }
}

const BOTH: &str = "EMAIL_HOST_USER and EMAIL_HOST_PASSWORD";

/// `SMART_NOTES__HTTP__LISTEN=x` as the key `http.listen` with its value.
pub(super) fn prefixed(name: &str, value: &str) -> Option<(String, Dict)> {
    let key = name.strip_prefix(super::defaults::VARIABLE_PREFIX)?;
    let key = key.to_lowercase().replace("__", ".");
    let nested = figment::util::nest(&key, Value::from(value));
    Some((key, nested.into_dict().unwrap_or_default()))
}
