//! The webhooks of payment services.

use super::place::Place;

const STRIPE: &str = "SMART_NOTES__PAYMENTS__STRIPE_SECRET";
const REVENUECAT: &str = "SMART_NOTES__PAYMENTS__REVENUECAT_SECRET";
const PRODUCTS: &str = "SMART_NOTES__PAYMENTS__STRIPE_PRODUCTS";
const ENTITLEMENTS: &str = "SMART_NOTES__PAYMENTS__REVENUECAT_ENTITLEMENTS";
const TESTS: &str = "SMART_NOTES__PAYMENTS__ACCEPT_TEST_EVENTS";

#[tokio::test]
async fn each_webhook_is_reported_as_on_or_off() {
    let place = Place::new().await;

    let off = place.doctor("").await;
    let place = place
        .with(STRIPE, "whsec_an_example_for_tests")
        .with(REVENUECAT, "Bearer an_example_for_tests");
    let on = place.doctor("").await;

    for (service, key) in [
        ("Stripe", "payments.stripe_secret"),
        ("RevenueCat", "payments.revenuecat_secret"),
    ] {
        let line = off.about(&format!(
            "the webhook of {service} is off: {key} is not set"
        ));
        assert!(line.contains('–'), "{line}");
        on.is_ok(&format!("the webhook of {service} is on"));
    }
}

/// Also a key that production's systems have in their reach is not printed, only how all of its kind begin.
#[tokio::test]
async fn a_key_of_stripe_s_api_in_the_place_of_the_signing_secret_is_a_problem() {
    for prefix in ["sk_", "rk_", "pk_"] {
        let key = format!("{prefix}live_an_example_for_tests");
        let place = Place::new().await.with(STRIPE, &key);

        let said = place.doctor("").await;

        said.is_a_problem(
            &format!("payments.stripe_secret begins with {prefix}:"),
            "replace it with the endpoint's signing secret (whsec_…)",
        );
        assert!(!said.out.contains("an_example"), "{}", said.out);
    }
}

#[tokio::test]
async fn a_secret_with_the_prefix_of_another_kind_is_a_warning() {
    let place = Place::new().await.with(STRIPE, "an_example_for_tests");
    let unlike = place.doctor("").await;
    let place = place.without(STRIPE);
    let swapped = place.with(REVENUECAT, "whsec_an_example_for_tests");
    let swapped_said = swapped.doctor("").await;
    let of_the_api = swapped.with(REVENUECAT, "sk_an_example_for_tests");
    let of_the_api = of_the_api.doctor("").await;

    unlike.is_a_warning(
        "payments.stripe_secret does not begin with whsec_",
        "compare it",
    );
    swapped_said.is_a_warning("revenuecat_secret begins with whsec_", "openssl rand");
    of_the_api.is_a_warning("revenuecat_secret begins with sk_", "openssl rand");
    for said in [unlike, swapped_said, of_the_api] {
        assert!(!said.out.contains("an_example"), "{}", said.out);
    }
}

#[tokio::test]
async fn accepted_test_events_are_a_warning_in_production_where_a_webhook_is_on() {
    let place = Place::new().await.with(TESTS, "true");
    let words = "payments.accept_test_events is on";

    let on = place.with(STRIPE, "whsec_an_example_for_tests");
    let development = on.doctor("").await;
    let on = on.in_production();
    let production = on.doctor("").await;
    let off = on.without(STRIPE).doctor("").await;

    let line = production.about(words);
    assert!(line.contains('!') && line.contains("remove it"), "{line}");
    assert!(!development.out.contains(words), "{}", development.out);
    assert!(!off.out.contains(words), "{}", off.out);
}

#[tokio::test]
async fn a_webhook_without_products_named_is_a_warning() {
    let place = Place::new().await;
    let off = place.doctor("").await;
    let place = place
        .with(STRIPE, "whsec_an_example_for_tests")
        .with(REVENUECAT, "an_example_for_tests");
    let unnamed = place.doctor("").await;
    let named = place.with(PRODUCTS, "prod_notes").with(ENTITLEMENTS, "pro");
    let named = named.doctor("").await;

    for key in ["stripe_products", "revenuecat_entitlements"] {
        let words = format!("payments.{key} is not set: every subscription");
        unnamed.is_a_warning(&words, "that mean premium");
        for said in [&off, &named] {
            assert!(!said.out.contains(&words), "{}", said.out);
        }
    }
}
