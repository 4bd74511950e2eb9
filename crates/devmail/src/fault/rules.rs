//! Selects the fault that applies: the first match in the order of their addition.
//!
//! Separate from the handle so that the matching works on plain data. Held by [`super::Faults`]
//! behind a mutex.

use std::collections::HashMap;

use super::{Effect, Fault, Limit, Target};
use crate::stage::Stage;

/// The active faults in command, each with the number of its hits.
#[derive(Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
}

struct Rule {
    fault: Fault,
    hits: u32,
    hits_per_recipient: HashMap<String, u32>,
}

impl Rules {
    pub(super) fn add(&mut self, fault: Fault) {
        self.rules.push(Rule {
            fault,
            hits: 0,
            hits_per_recipient: HashMap::new(),
        });
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// One bit for each stage with a rule.
    pub(super) fn armed(&self) -> u32 {
        self.rules
            .iter()
            .fold(0, |bits, rule| bits | 1 << rule.fault.stage as u8)
    }

    pub(super) fn effect<'a>(
        &mut self,
        stage: Stage,
        target: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Option<Effect> {
        self.rules
            .iter_mut()
            .filter(|rule| rule.fault.stage == stage)
            .find_map(|rule| rule.effect(target.clone()))
    }
}

impl Rule {
    fn effect<'a>(&mut self, mut target: impl Iterator<Item = &'a str>) -> Option<Effect> {
        let Self {
            fault,
            hits,
            hits_per_recipient,
        } = self;
        let hit = match fault.limit {
            Limit::Always => fault.target.any(&mut target),
            Limit::Times(n) => *hits < n && fault.target.any(&mut target),
            Limit::PerRecipient(n) => target.filter(|one| fault.target.is(one)).any(|one| {
                let seen = hits_per_recipient.entry(one.to_lowercase()).or_default();
                let open = *seen < n;
                *seen += u32::from(open);
                open
            }),
        };
        hit.then(|| {
            *hits = hits.saturating_add(1);
            fault.effect.clone()
        })
    }
}

impl Target {
    fn any<'a>(&self, target: &mut impl Iterator<Item = &'a str>) -> bool {
        matches!(self, Self::Anyone) || target.any(|one| self.is(one))
    }

    fn is(&self, address: &str) -> bool {
        match self {
            Self::Anyone => true,
            Self::Address(wanted) => address.to_lowercase() == *wanted,
            Self::Domain(wanted) => address
                .rsplit_once('@')
                .is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(wanted)),
        }
    }
}
