//! The embedded `config/default.toml`: the known keys and their defaults.
//!
//! Separate from the layers because three callers use the list of known keys: reading (unknown
//! keys), errors (the nearest known key) and recovery (the default of an invalid value).

use std::collections::BTreeMap;

use figment::Provider as _;
use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Value};

/// The file in the repository.
const DEFAULT_TOML: &str = include_str!("../../../../config/default.toml");

/// The similarity of two keys from which one is suggested for the other.
const NEAR: f64 = 0.75;

/// The known keys and their defaults.
pub(super) struct Defaults {
    /// The defaults as in the file: sections with keys.
    pub tree: Dict,
    /// The defaults by full key, like `http.listen`.
    leaves: BTreeMap<String, Value>,
}

impl Defaults {
    /// Parses the embedded file.
    pub fn embedded() -> Self {
        let mut profiles = Toml::string(DEFAULT_TOML)
            .data()
            .expect("config/default.toml is valid: a test reads it");
        let tree = profiles
            .remove(&figment::Profile::Default)
            .unwrap_or_default();

        let mut leaves = BTreeMap::new();
        collect_leaves("", &tree, &mut leaves);
        Self { tree, leaves }
    }

    /// The default of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.leaves.get(key)
    }

    /// Every known key.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.leaves.keys().map(String::as_str)
    }

    /// Whether this is the name of a section.
    pub fn is_section(&self, key: &str) -> bool {
        matches!(self.tree.get(key), Some(Value::Dict(..)))
    }

    /// The known key that an unknown one most likely means: a similar spelling, or the same key in
    /// another section.
    pub fn nearest(&self, unknown: &str) -> Option<&str> {
        self.leaves
            .keys()
            .map(|known| (likeness(unknown, known), known))
            .filter(|(likeness, _)| *likeness >= NEAR)
            .max_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, known)| known.as_str())
    }
}

impl Defaults {
    /// The known variable that an unread one most likely means: one that differs only in
    /// underscores or case.
    pub fn meant(&self, variable: &str) -> Option<String> {
        let plain = |name: &str| name.to_ascii_lowercase().replace(['.', '_'], "");
        let key = plain(variable).strip_prefix("smartnotes")?.to_owned();
        let known = self.keys().find(|known| plain(known) == key)?;
        Some(variable_name(known)).filter(|ours| ours != variable)
    }
}

/// The similarity of two keys: 1.0 for the same key, 0.0 for nothing in common.
fn likeness(unknown: &str, known: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(unknown, known);
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let in_another_section = strsim::normalized_damerau_levenshtein(&last(unknown), &last(known));
    whole.max(in_another_section * 0.9)
}

fn collect_leaves(prefix: &str, tree: &Dict, leaves: &mut BTreeMap<String, Value>) {
    for (name, value) in tree {
        let key = join(prefix, name);
        match value {
            Value::Dict(_, section) => collect_leaves(&key, section, leaves),
            _ => {
                leaves.insert(key, value.clone());
            }
        }
    }
}

/// `http` and `listen` to `http.listen`.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// `http.listen` as the variable that sets it.
pub(super) fn variable_name(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// The prefix of all variables. It has two underscores because an orchestrator may set
/// `SMART_NOTES_PORT` or `SMART_NOTES_SERVICE_HOST` for a service of that name.
pub(super) const VARIABLE_PREFIX: &str = "SMART_NOTES__";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_holds_keys_at_the_top_and_in_sections() {
        let defaults = Defaults::embedded();

        assert!(defaults.get("env").is_some());
        assert!(defaults.get("otp.ttl_seconds").is_some());
        assert!(defaults.is_section("otp"));
        assert!(!defaults.is_section("env"));
    }

    #[test]
    fn a_misspelt_key_and_a_key_in_the_wrong_section_are_recognised() {
        let defaults = Defaults::embedded();

        assert_eq!(
            defaults.nearest("http.max_conections"),
            Some("http.max_connections")
        );
        assert_eq!(
            defaults.nearest("smtp.ttl_seconds"),
            Some("otp.ttl_seconds")
        );
        assert_eq!(defaults.nearest("zebra.stripes"), None);
    }
}
