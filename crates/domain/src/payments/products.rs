//! The products that mean premium.

use super::{Fact, Item, Says, Until, name};
use crate::plans::Source;

/// What means premium, by the services' names for it: settings of an operator, since an account may sell other things,
/// too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Products {
    /// Stripe's products and prices. Empty: every subscription counts.
    pub stripe_products: Vec<String>,
    /// Stripe's payment links, and `KEY=VALUE` of a checkout's metadata, for what is paid once. A checkout's event does not
    /// say what was sold: none counts that is not named.
    pub stripe_payment_links: Vec<String>,
    /// RevenueCat's entitlements. Empty: every subscription counts, and what is paid once if it has an entitlement.
    pub revenuecat_entitlements: Vec<String>,
}

impl Products {
    /// Until when what was paid for gives premium; `None`: it does not. Events that were kept before products were
    /// looked at count as they did then.
    pub(super) fn end(&self, source: Source, fact: &Fact) -> Option<Until> {
        let Says::Paid(until) = fact.says else {
            return None;
        };
        if fact.sold.is_empty() {
            return Some(until);
        }
        let premium = |item: &&Item| self.mean_premium(source, fact.once, &item.names);
        let ends = fact.sold.iter().filter(premium);
        ends.map(|item| Until::from(item.until)).max()
    }

    fn mean_premium(&self, source: Source, once: bool, names: &[String]) -> bool {
        let any_of = |list: &[String]| names.iter().any(|one| list.contains(one));
        match source {
            Source::Stripe if once => {
                let (links, products) = (&self.stripe_payment_links, &self.stripe_products);
                links
                    .iter()
                    .chain(products)
                    .any(|one| names.contains(one) || names.contains(&name(one)))
            }
            Source::Stripe => self.stripe_products.is_empty() || any_of(&self.stripe_products),
            Source::RevenueCat if self.revenuecat_entitlements.is_empty() => {
                !once || !names.is_empty()
            }
            Source::RevenueCat => self
                .revenuecat_entitlements
                .iter()
                .any(|one| names.iter().any(|name| name.eq_ignore_ascii_case(one))),
            Source::Operator => false,
        }
    }
}
