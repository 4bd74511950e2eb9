//! Collects what is wrong, so that an operator sees all of it at one start.
//!
//! Apart from the sections because each section's rules (`check` in its file) report here,
//! and this knows where the offending value came from.

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

    /// Reports `key` unless the rule holds. The message says what is wrong and the mend.
    pub fn require(&mut self, holds: bool, key: &str, message: impl Into<String>) {
        if !holds {
            self.refuse(key, message);
        }
    }

    /// Reports `key`, with the place its value came from.
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

    /// Reports `key` unless its value lies in `range`, both ends included.
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

    /// Whether this key's value did not fit and its default stands in: what a rule says
    /// about that would not be about what the operator wrote.
    pub fn is_reported(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Whether nobody set this key.
    pub fn is_default(&self, key: &str) -> bool {
        self.layers.source_of(key) == Source::Default
    }
}
