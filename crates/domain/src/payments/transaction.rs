//! The validity of one transaction: a subscription with all its periods, or a one-time purchase.
//!
//! Of what the events say the newest counts, with three exceptions. The expiration of a former period ends nothing, since
//! it may come long after the renewal. A grace period lengthens what was paid, and is over with the next state. What has
//! ended for good stays so.

use jiff::Timestamp;

use super::{Fact, Products, Says, Until};
use crate::plans::Source;

/// Until when a transaction gives premium, by all that is known about it; `None`: it does not.
pub(super) fn premium(facts: &[&Fact], source: Source, products: &Products) -> Option<Until> {
    if facts.iter().any(|fact| fact.says == Says::Ended) {
        return None;
    }
    let state = facts
        .iter()
        .copied()
        .filter(|fact| is_state(fact.says) && !is_of_former_period(fact, facts))
        .max_by_key(|fact| order(fact))?;
    let paid = match state.says {
        Says::Paid(_) => state,
        Says::Restored => newest_paid(facts)?,
        _ => return None,
    };
    let end = products.end(source, paid)?;
    let extensions = facts.iter().filter_map(|fact| match fact.says {
        Says::Extended(until) if fact.made >= paid.made => Some(Until::Time(until)),
        _ => None,
    });
    extensions.chain([end]).max()
}

/// Whether the newest that was paid for gives premium, if anything was.
pub(super) fn is_foreign(facts: &[&Fact], source: Source, products: &Products) -> bool {
    newest_paid(facts).is_some_and(|paid| products.end(source, paid).is_none())
}

fn newest_paid<'a>(facts: &[&'a Fact]) -> Option<&'a Fact> {
    let paid = facts
        .iter()
        .copied()
        .filter(|fact| matches!(fact.says, Says::Paid(_)));
    paid.max_by_key(|fact| order(fact))
}

fn is_state(says: Says) -> bool {
    matches!(
        says,
        Says::Pending | Says::Paid(_) | Says::Lapsed(_) | Says::Expired(_) | Says::Restored
    )
}

/// What is compared of two states.
type Order<'a> = (Option<Timestamp>, Option<Timestamp>, u8, i64, &'a str);

/// Which of two states is newer. At the same moment it is the one of the later period; then what was paid for follows on
/// what was not yet, and the end of a purchase without a period on the purchase; else it is the one that came later.
fn order(fact: &Fact) -> Order<'_> {
    let rank = match fact.says {
        Says::Pending => 0,
        Says::Paid(Until::Endless) => 1,
        _ => 2,
    };
    let until = fact.says.until();
    (fact.made, until, rank, fact.arrival, &fact.id)
}

/// Whether it tells that a period has expired which another one has followed: one whose end was moved since, or that
/// ended before another one began.
fn is_of_former_period(fact: &Fact, facts: &[&Fact]) -> bool {
    let Says::Expired(Some(ended)) = fact.says else {
        return false;
    };
    let paid = || {
        facts.iter().filter_map(|fact| match fact.says {
            Says::Paid(until) => Some((fact, until)),
            _ => None,
        })
    };
    paid()
        .filter(|(_, until)| *until > Until::Time(ended))
        .any(|(later, _)| {
            let is_next = later.began.is_some_and(|began| began >= ended);
            let is_moved = paid()
                .any(|(former, until)| until == Until::Time(ended) && order(former) < order(later));
            is_next || is_moved
        })
}
