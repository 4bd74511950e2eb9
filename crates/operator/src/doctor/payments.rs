//! Whether the webhooks of payment services are on, and whether their secrets look right.
//!
//! With a wrong secret every event is refused, and only customers notice. A check looks at the prefix of a secret alone,
//! and no finding quotes more than a prefix that the service gives to all secrets of its kind.

use runtime::settings::{Env, Settings};
use secrecy::{ExposeSecret as _, SecretString};

use super::report::Report;

/// Prefixes of API keys of Stripe and RevenueCat. None of them signs an event.
const API_KEYS: [&str; 3] = ["sk_", "rk_", "pk_"];

/// The prefix of Stripe's signing secrets.
const SIGNING: &str = "whsec_";

/// Checks both services, and whether test events count.
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

/// Whether the settings name what means premium, where a webhook is on.
fn products(settings: &Settings, report: &mut Report<'_>) {
    let payments = &settings.payments;
    if payments.stripe_secret.is_some() && payments.stripe_products.is_empty() {
        report.warning(
            "stripe_products",
            "payments.stripe_products is not set: every subscription of the Stripe account gives premium, also for \
             other products",
            "list the products or prices that mean premium (prod_…, price_…)",
        );
    }
    if payments.revenuecat_secret.is_some() && payments.revenuecat_entitlements.is_empty() {
        report.warning(
            "revenuecat_entitlements",
            "payments.revenuecat_entitlements is not set: every subscription at RevenueCat gives premium, whatever its \
             entitlement",
            "list the entitlements that mean premium",
        );
    }
}

/// The kind of a secret, by its prefix.
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
                "the webhook of Stripe is on, but payments.stripe_secret begins with {prefix}: that is an API key, which \
                 signs no events, so every event is refused"
            ),
            "replace it with the endpoint's signing secret (whsec_…), and roll the API key if others could read it here",
        ),
        Beginning::Other => report.warning(
            "stripe",
            format!(
                "the webhook of Stripe is on, but payments.stripe_secret does not begin with {SIGNING}: unless \
                 Stripe signs with it, every event is refused"
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
            "the webhook of RevenueCat is on, but payments.revenuecat_secret begins with {prefix}, like a secret for \
             another purpose"
        ),
        "create one for this purpose with `openssl rand -hex 32`, and enter it as the webhook's authorization header",
    );
}

/// Whether test purchases give premium.
fn test_events(settings: &Settings, report: &mut Report<'_>) {
    let payments = &settings.payments;
    let on = payments.stripe_secret.is_some() || payments.revenuecat_secret.is_some();
    if on && payments.accept_test_events && settings.env == Env::Production {
        report.warning(
            "test_events",
            "payments.accept_test_events is on: test purchases, which cost nothing, give premium",
            "remove it, unless this is a test server",
        );
    }
}
