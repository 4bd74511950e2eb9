//! Whether the webhooks of payment services are on, and whether what they are told looks right.
//!
//! With a wrong secret every event is refused, which nobody notices but who has paid. Only how a secret begins is looked
//! at, and no finding quotes more of it than what services put before everybody's.

use runtime::settings::{Env, Settings};
use secrecy::{ExposeSecret as _, SecretString};

use super::report::Report;

/// What the keys of Stripe's and RevenueCat's own interfaces begin with. None of them comes with an event.
const API_KEYS: [&str; 3] = ["sk_", "rk_", "pk_"];

/// What Stripe's signing secrets begin with.
const SIGNING: &str = "whsec_";

/// Looks at both services, and at whether tests count.
pub fn check(settings: &Settings, report: &mut Report<'_>) {
    let payments = &settings.payments;
    match begins(payments.stripe_secret.as_ref()) {
        None => off("stripe", "Stripe", "payments.stripe_secret", report),
        Some(secret) => stripe(secret, report),
    }
    match begins(payments.revenuecat_secret.as_ref()) {
        None => off(
            "revenuecat",
            "RevenueCat",
            "payments.revenuecat_secret",
            report,
        ),
        Some(secret) => revenuecat(secret, report),
    }
    products(settings, report);
    test_events(settings, report);
}

/// Whether it is named what means premium, where a webhook is on.
fn products(settings: &Settings, report: &mut Report<'_>) {
    let payments = &settings.payments;
    if payments.stripe_secret.is_some() && payments.stripe_products.is_empty() {
        report.warning(
            "stripe_products",
            "payments.stripe_products is not set: every subscription of the account at Stripe gives premium, also to \
             other products",
            "name the products or prices that mean premium (prod_…, price_…)",
        );
    }
    if payments.revenuecat_secret.is_some() && payments.revenuecat_entitlements.is_empty() {
        report.warning(
            "revenuecat_entitlements",
            "payments.revenuecat_entitlements is not set: every subscription at RevenueCat gives premium, whatever its \
             entitlement",
            "name the entitlements that mean premium",
        );
    }
}

/// How a secret begins, where one is set.
#[derive(Clone, Copy)]
enum Beginning {
    ApiKey(&'static str),
    Signing,
    Other,
}

fn begins(secret: Option<&SecretString>) -> Option<Beginning> {
    let secret = secret?.expose_secret();
    let api_key = API_KEYS.iter().find(|prefix| secret.starts_with(**prefix));
    Some(match api_key {
        Some(prefix) => Beginning::ApiKey(prefix),
        None if secret.starts_with(SIGNING) => Beginning::Signing,
        None => Beginning::Other,
    })
}

fn off(check: &'static str, service: &str, key: &str, report: &mut Report<'_>) {
    report.skipped(
        check,
        format!("the webhook of {service} is off: {key} is not set for this command"),
    );
}

fn stripe(secret: Beginning, report: &mut Report<'_>) {
    match secret {
        Beginning::Signing => report.ok("stripe", "the webhook of Stripe is on"),
        Beginning::ApiKey(prefix) => report.problem(
            "stripe",
            format!(
                "the webhook of Stripe is on, but payments.stripe_secret begins with {prefix}: that is a key of Stripe's \
                 API, which signs no event, so each is refused"
            ),
            "write the endpoint's signing secret (whsec_…) in its place, and roll that key if others could read it here",
        ),
        Beginning::Other => report.warning(
            "stripe",
            format!(
                "the webhook of Stripe is on, but payments.stripe_secret does not begin with {SIGNING}: as long as it is \
                 not what Stripe signs with, each event is refused"
            ),
            "compare it with the endpoint's signing secret in Stripe's dashboard",
        ),
    }
}

fn revenuecat(secret: Beginning, report: &mut Report<'_>) {
    let prefix = match secret {
        Beginning::Other => return report.ok("revenuecat", "the webhook of RevenueCat is on"),
        Beginning::ApiKey(prefix) => prefix,
        Beginning::Signing => SIGNING,
    };
    report.warning(
        "revenuecat",
        format!(
            "the webhook of RevenueCat is on, but payments.revenuecat_secret begins with {prefix}, like a secret that is \
             for something else"
        ),
        "make one for this alone with `openssl rand -hex 32`, and enter it as the webhook's authorization header",
    );
}

/// Whether purchases for which nobody has paid give premium.
fn test_events(settings: &Settings, report: &mut Report<'_>) {
    let payments = &settings.payments;
    let on = payments.stripe_secret.is_some() || payments.revenuecat_secret.is_some();
    if on && payments.accept_test_events && settings.env == Env::Production {
        report.warning(
            "test_events",
            "payments.accept_test_events is on: purchases that cost nothing give premium here",
            "take it out, unless this server is there for tests",
        );
    }
}
