//! Which of the faults strikes: first match in the order in which they were added.
//!
//! Apart from the handle so that the matching is plain data and easy to check.
//! Held by [`super::Faults`] behind a mutex.

use std::collections::HashMap;

use super::{Fault, Limit, Strike, Whom};
use crate::stage::Stage;

/// The faults in force, in order, each with what it has done so far.
#[derive(Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
}

struct Rule {
    fault: Fault,
    struck: u32,
    struck_per_recipient: HashMap<String, u32>,
}

impl Rules {
    pub(super) fn add(&mut self, fault: Fault) {
        self.rules.push(Rule {
            fault,
            struck: 0,
            struck_per_recipient: HashMap::new(),
        });
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// One bit for each stage that has a rule.
    pub(super) fn armed(&self) -> u32 {
        self.rules
            .iter()
            .fold(0, |bits, rule| bits | 1 << rule.fault.stage as u8)
    }

    pub(super) fn strike<'a>(
        &mut self,
        stage: Stage,
        whom: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Option<Strike> {
        self.rules
            .iter_mut()
            .filter(|rule| rule.fault.stage == stage)
            .find_map(|rule| rule.strike(whom.clone()))
    }
}

impl Rule {
    fn strike<'a>(&mut self, mut whom: impl Iterator<Item = &'a str>) -> Option<Strike> {
        let Self {
            fault,
            struck,
            struck_per_recipient,
        } = self;
        let hit = match fault.limit {
            Limit::Always => fault.whom.any(&mut whom),
            Limit::Times(n) => *struck < n && fault.whom.any(&mut whom),
            Limit::PerRecipient(n) => whom.filter(|one| fault.whom.is(one)).any(|one| {
                let seen = struck_per_recipient.entry(one.to_lowercase()).or_default();
                let open = *seen < n;
                *seen += u32::from(open);
                open
            }),
        };
        hit.then(|| {
            *struck = struck.saturating_add(1);
            fault.strike.clone()
        })
    }
}

impl Whom {
    fn any<'a>(&self, whom: &mut impl Iterator<Item = &'a str>) -> bool {
        matches!(self, Self::Anyone) || whom.any(|one| self.is(one))
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
