//! `[payments]`: the secrets that authenticate payment services, and which of their products mean
//! premium. Read by the API. Without its secret, the route of a service answers 404.

use domain::payments::Products;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

use super::check::Checks;
use super::serde_formats;

/// The minimum length of a secret in bytes, without its constant prefix. A guessed secret lets an
/// attacker grant premium to any account. The minimum catches mistakes (an example value, half of a
/// copied line); real secrets are longer: Stripe's have at least 32 characters after `whsec_`, and
/// for `RevenueCat` the operator generates one, of which even 16 hex digits are 64 random bits.
const MIN_BYTES: usize = 16;

/// The settings of payment services. `Debug` and serialising mask the secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payments {
    /// The signing secret of the Stripe endpoint: `whsec_…`, with at least 16 characters after the
    /// prefix.
    #[serde(with = "serde_formats::optional_secret")]
    pub stripe_secret: Option<SecretString>,
    /// The `Authorization` header that `RevenueCat` sends, with or without `Bearer`: at least 16
    /// characters.
    #[serde(with = "serde_formats::optional_secret")]
    pub revenuecat_secret: Option<SecretString>,
    /// Ids of Stripe products and prices whose subscriptions mean premium. If empty, every
    /// subscription does. A one-time checkout counts if its metadata names one.
    #[serde(deserialize_with = "names")]
    pub stripe_products: Vec<String>,
    /// Ids of Stripe payment links whose one-time checkouts mean premium, or `KEY=VALUE` of a
    /// checkout's metadata. If empty, no link does.
    #[serde(deserialize_with = "links")]
    pub stripe_payment_links: Vec<String>,
    /// Identifiers of `RevenueCat` entitlements that mean premium. If empty, every subscription
    /// does, and every one-time purchase with an entitlement.
    #[serde(deserialize_with = "names")]
    pub revenuecat_entitlements: Vec<String>,
    /// Whether unpaid test purchases grant premium: those of Stripe's test mode and of
    /// `RevenueCat`'s sandbox.
    pub accept_test_events: bool,
}

impl Payments {
    /// The products that mean premium.
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
                "Generate one with `openssl rand -hex 32`, and enter it as the webhook's authorization header at RevenueCat as well",
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

/// A secret without its constant prefix.
fn own<'a>(secret: &'a str, prefix: &str) -> &'a str {
    match secret.split_at_checked(prefix.len()) {
        Some((before, own)) if before.eq_ignore_ascii_case(prefix) => own.trim_start(),
        _ => secret,
    }
}

/// Reads identifiers as a service shows them.
fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let written = serde_formats::texts(from)?;
    match written.iter().find(|name| !is_identifier(name)) {
        None => Ok(written),
        Some(name) => Err(serde::de::Error::custom(format!(
            "`{}` is not an identifier. Copy it from the service's dashboard, like prod_NffrFeUfNV2Hib, \
             price_1MoBy5LkdIwHu7ix or pro",
            name.escape_debug()
        ))),
    }
}

/// Reads ids of payment links, which are not part of their URLs, and pairs of metadata.
fn links<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let written = serde_formats::texts(from)?;
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

/// Whether the text has the form of an identifier, at most as long as an id from an event.
fn is_identifier(text: &str) -> bool {
    let is_shown = |sign: char| !sign.is_whitespace() && !sign.is_control() && sign != '/';
    (1..=255).contains(&text.len()) && text.chars().all(is_shown)
}
