//! `[payments]`: the secrets that payment services prove themselves with, and what of theirs counts. Read by the API;
//! without its secret, a service's route is not there.

use domain::payments::Products;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

use super::check::Checks;
use super::units;

/// Fewest bytes of a secret, without what stands before everybody's alike. Whoever guesses one grants premium to whom
/// they like. This floor is against slips (an example, half of a copied line), under which no real secret falls: Stripe
/// makes its own with 32 characters or more behind `whsec_`, and for `RevenueCat` one takes what a generator prints, of
/// which even 16 hex digits are 64 random bits.
const MIN_BYTES: usize = 16;

/// What holds for payment services. `Debug` and serialising mask it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payments {
    /// Signs what Stripe sends: the endpoint's signing secret, `whsec_…` with at least 16 characters behind that.
    #[serde(with = "units::optional_secret")]
    pub stripe_secret: Option<SecretString>,
    /// Stands in `Authorization` of what `RevenueCat` sends, alone or after `Bearer`: at least 16 characters.
    #[serde(with = "units::optional_secret")]
    pub revenuecat_secret: Option<SecretString>,
    /// Products and prices of Stripe whose subscriptions mean premium, by their ids; empty: every subscription does. A
    /// checkout that is paid once counts if its metadata names one.
    #[serde(deserialize_with = "names")]
    pub stripe_products: Vec<String>,
    /// Payment links of Stripe whose checkouts, paid once, mean premium, by their ids; also `KEY=VALUE` of a checkout's
    /// metadata. Empty: no link does.
    #[serde(deserialize_with = "links")]
    pub stripe_payment_links: Vec<String>,
    /// Entitlements of `RevenueCat` that mean premium, by their identifiers; empty: every subscription does, and what is
    /// paid once if it has an entitlement.
    #[serde(deserialize_with = "names")]
    pub revenuecat_entitlements: Vec<String>,
    /// Whether purchases of tests, for which nobody has paid, give premium: Stripe's of test mode and `RevenueCat`'s of a
    /// sandbox.
    pub accept_test_events: bool,
}

impl Payments {
    /// What means premium.
    #[must_use]
    pub fn products(&self) -> Products {
        Products {
            stripe_products: self.stripe_products.clone(),
            stripe_payment_links: self.stripe_payment_links.clone(),
            revenuecat_entitlements: self.revenuecat_entitlements.clone(),
        }
    }

    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        for (key, secret, prefix, mend) in [
            (
                "payments.stripe_secret",
                &self.stripe_secret,
                "whsec_",
                "Copy the endpoint's signing secret from Stripe's dashboard",
            ),
            (
                "payments.revenuecat_secret",
                &self.revenuecat_secret,
                "Bearer ",
                "Make one with `openssl rand -hex 32`, and enter it as the webhook's authorization header at RevenueCat, too",
            ),
        ] {
            let Some(secret) = secret else { continue };
            let bytes = own(secret.expose_secret(), prefix).len();
            checks.require(
                bytes >= MIN_BYTES,
                key,
                format!(
                    "{bytes} bytes (`{}` not counted) are too few for a secret: {MIN_BYTES} are needed. {mend}",
                    prefix.trim_end()
                ),
            );
        }
    }
}

/// A secret without what stands before it alike in everybody's.
fn own<'a>(secret: &'a str, prefix: &str) -> &'a str {
    match secret.split_at_checked(prefix.len()) {
        Some((before, own)) if before.eq_ignore_ascii_case(prefix) => own.trim_start(),
        _ => secret,
    }
}

/// Identifiers of a service, as it shows them.
fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let written = units::texts(from)?;
    match written.iter().find(|name| !is_identifier(name)) {
        None => Ok(written),
        Some(name) => Err(serde::de::Error::custom(format!(
            "`{}` is no identifier. Copy it from the service's dashboard, like prod_NffrFeUfNV2Hib, \
             price_1MoBy5LkdIwHu7ix or pro",
            name.escape_debug()
        ))),
    }
}

/// Payment links by their ids, which are no part of their addresses, and pairs of metadata.
fn links<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let written = units::texts(from)?;
    let is_pair = |text: &str| {
        text.split_once('=')
            .is_some_and(|(key, value)| is_identifier(key) && !value.trim().is_empty())
    };
    let is_link =
        |text: &&String| (text.starts_with("plink_") && is_identifier(text)) || is_pair(text);
    match written.iter().find(|text| !is_link(text)) {
        None => Ok(written),
        Some(text) => Err(serde::de::Error::custom(format!(
            "`{}` is neither the id of a payment link nor a pair of metadata. Write plink_… (the link's id, not its \
             address) or KEY=VALUE",
            text.escape_debug()
        ))),
    }
}

/// At most as long as an id that is taken from an event.
fn is_identifier(text: &str) -> bool {
    let is_shown = |sign: char| !sign.is_whitespace() && !sign.is_control() && sign != '/';
    (1..=255).contains(&text.len()) && text.chars().all(is_shown)
}
