//! Collects the problems of the settings, so that one start reports all of them.
//!
//! Separate from the sections because the rules of each section (`check` in its file) report here,
//! and this knows the source of each value.

use super::error::{Missing, Problem};
use super::layers::Layers;
use super::source::Source;

/// The problems found so far.
pub(super) struct Checks<'a> {
    layers: &'a Layers,
    problems: &'a mut Vec<Problem>,
    missing: &'a mut Vec<Missing>,
}

impl<'a> Checks<'a> {
    pub fn new(
        layers: &'a Layers,
        problems: &'a mut Vec<Problem>,
        missing: &'a mut Vec<Missing>,
    ) -> Self {
        Self {
            layers,
            problems,
            missing,
        }
    }

    /// Reports `key` unless the rule holds. The message names the problem and the fix.
    pub fn require(&mut self, holds: bool, key: &str, message: impl Into<String>) {
        if !holds {
            self.refuse(key, message);
        }
    }

    /// Reports `key`, with the source of its value.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let source = Some(self.layers.source_of(key));
        self.problems.push(Problem {
            key: key.to_owned(),
            source,
            message: message.into(),
        });
    }

    /// Reports `key` as missing unless the rule holds. The reason follows "is not set, and".
    pub fn need(&mut self, holds: bool, key: &'static str, why: &str) {
        if !holds {
            self.missing.push(Missing {
                key,
                source: Some(self.layers.source_of(key)),
                why: why.to_owned(),
            });
        }
    }

    /// Reports `key` unless its value lies in `range`, including both ends.
    pub fn range<T>(&mut self, key: &str, value: T, range: std::ops::RangeInclusive<T>)
    where
        T: Copy + PartialOrd + std::fmt::Display,
    {
        if range.contains(&value) {
            return;
        }
        let (least, most) = range.into_inner();
        let message = if value < least {
            format!("{value} is too small. Write {least} or more")
        } else {
            format!("{value} is too large. Write {most} or less")
        };
        self.refuse(key, message);
    }

    /// Whether this key's value was invalid and replaced by its default: then a rule would check a
    /// value that the operator did not write.
    pub fn is_reported(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Whether this key was not set.
    pub fn is_default(&self, key: &str) -> bool {
        self.layers.source_of(key) == Source::Default
    }
}
