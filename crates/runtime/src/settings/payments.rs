//! `[payments]`: the secrets that payment services prove themselves with, and what of theirs counts. Read by the API;
//! without its secret, a service's route is not there.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

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
    /// Whether purchases of tests, for which nobody has paid, give premium: Stripe's of test mode and `RevenueCat`'s of a
    /// sandbox.
    pub accept_test_events: bool,
}

impl Payments {
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
