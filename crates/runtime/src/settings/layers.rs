//! Merges the values of several sources and remembers the source of each.
//!
//! figment merges the values and remembers the provider of each. This wrapper makes every provider
//! a [`Source`], and reports unknown keys when a layer is added.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::defaults::{Defaults, join};
use super::source::Source;

/// All layers added so far.
pub(super) struct Layers {
    pub figment: Figment,
    pub defaults: Defaults,
    /// The source by its provider name, which figment stores with each value.
    sources: BTreeMap<String, Source>,
}

/// One layer as a figment provider.
struct Layer<'a> {
    source: &'a Source,
    values: Dict,
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.to_string())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Layers {
    /// Starts with the lowest layer: the embedded defaults.
    pub fn new() -> Self {
        let defaults = Defaults::embedded();
        let tree = defaults.tree.clone();
        let mut layers = Self {
            figment: Figment::new(),
            defaults,
            sources: BTreeMap::new(),
        };
        layers.merge(Source::Default, tree);
        layers
    }

    /// Merges `values` over the lower layers. Returns the unknown keys, which are left out.
    pub fn add(&mut self, source: Source, mut values: Dict) -> Vec<String> {
        let mut unknown = Vec::new();
        self.prune("", &mut values, &mut unknown);
        self.merge(source, values);
        unknown
    }

    /// Sets one value of a known key over the lower layers.
    pub fn set(&mut self, source: Source, key: &str, value: impl Into<Value>) {
        let nested = figment::util::nest(key, value.into());
        self.merge(source, nested.into_dict().unwrap_or_default());
    }

    /// Sets a key to its default, so that reading can continue after an invalid value.
    pub fn restore_default(&mut self, key: &str) {
        if let Some(value) = self.defaults.get(key).cloned() {
            self.set(Source::Default, key, value);
        }
    }

    /// The source of the effective value.
    pub fn source_of(&self, key: &str) -> Source {
        self.figment
            .find_metadata(key)
            .and_then(|metadata| self.sources.get(metadata.name.as_ref()))
            .cloned()
            .unwrap_or(Source::Default)
    }

    /// Whether this key was not set.
    pub fn is_default(&self, key: &str) -> bool {
        self.source_of(key) == Source::Default
    }

    /// The effective value as written, if it is a text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.figment
            .find_value(key)
            .ok()
            .and_then(Value::into_string)
    }

    fn merge(&mut self, source: Source, values: Dict) {
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Layer {
            source: &source,
            values,
        });
        self.sources.insert(source.to_string(), source);
    }

    /// Removes unknown keys: unknown names, a section given as one value, and a key given as a
    /// section.
    fn prune(&self, prefix: &str, values: &mut Dict, unknown: &mut Vec<String>) {
        values.retain(|name, value| {
            let key = join(prefix, name);
            match value {
                Value::Dict(_, section) => {
                    let known = self.defaults.is_section(&key);
                    if section.is_empty() && !known {
                        unknown.push(key.clone());
                    }
                    self.prune(&key, section, unknown);
                    known
                }
                _ if self.defaults.get(&key).is_some() => true,
                _ => {
                    unknown.push(key);
                    false
                }
            }
        });
    }
}
