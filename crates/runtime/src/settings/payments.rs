//! `[payments]`: the secrets that payment services prove themselves with. Read by the API; without its secret, a
//! service's route is not there.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::units;

/// What payment services share with this one. `Debug` and serialising mask it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payments {
    /// Signs what Stripe sends: the endpoint's signing secret, `whsec_…`.
    #[serde(with = "units::optional_secret")]
    pub stripe_secret: Option<SecretString>,
    /// Stands in `Authorization` of what `RevenueCat` sends, alone or after `Bearer`.
    #[serde(with = "units::optional_secret")]
    pub revenuecat_secret: Option<SecretString>,
}
