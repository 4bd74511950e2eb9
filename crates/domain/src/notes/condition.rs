//! Conditions of a client on a note before a change (RFC 9110, section 13.1).

/// Versions that a client names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// Whatever there is: `*`.
    Any,
    /// Exactly these versions.
    These(Vec<i64>),
}

impl Versions {
    /// Whether the note that is there, if one is, has one of the versions.
    #[must_use]
    pub fn name(&self, current: Option<i64>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::These(versions), Some(current)) => versions.contains(&current),
        }
    }
}

/// `If-Match` and `If-None-Match`, as far as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// The note must be there, and have one of these.
    pub one_of: Option<Versions>,
    /// The note must not be there, or have none of these.
    pub none_of: Option<Versions>,
}

impl Condition {
    /// Whether it holds for the note that is there, if one is.
    #[must_use]
    pub fn holds(&self, current: Option<i64>) -> bool {
        self.expects(current) && !self.rules_out(current)
    }

    /// Whether the note may be the one that must be there.
    pub(super) fn expects(&self, current: Option<i64>) -> bool {
        let one_of = self.one_of.as_ref();
        one_of.is_none_or(|one_of| one_of.name(current))
    }

    /// Whether the note is one that must not be there.
    pub(super) fn rules_out(&self, current: Option<i64>) -> bool {
        let none_of = self.none_of.as_ref();
        none_of.is_some_and(|none_of| none_of.name(current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_for_what_it_names() {
        let these = |versions: &[i64]| Some(Versions::These(versions.to_vec()));
        for (one_of, none_of, current, holds) in [
            (None, None, None, true),
            (None, None, Some(3), true),
            (these(&[2, 3]), None, Some(3), true),
            (these(&[2, 3]), None, Some(4), false),
            (these(&[2, 3]), None, None, false),
            (Some(Versions::Any), None, Some(1), true),
            (Some(Versions::Any), None, None, false),
            (None, Some(Versions::Any), None, true),
            (None, Some(Versions::Any), Some(1), false),
            (None, these(&[1]), Some(1), false),
            (None, these(&[1]), Some(2), true),
        ] {
            let condition = Condition { one_of, none_of };

            assert_eq!(condition.holds(current), holds, "{condition:?} {current:?}");
        }
    }
}
