//! `[otp]`: one-time codes. Read by the API, which checks them, and the worker, which
//! derives and mails them; both must be told the same.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::units;

/// How long, how many tries and how many digits a code has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Otp {
    /// `ttl_seconds`: a code's life, from its request; any from one second.
    #[serde(rename = "ttl_seconds", with = "units::seconds")]
    pub ttl: Duration,
    /// Wrong tries until a code is dead; 100 at most (NIST SP 800-63B-4 §3.2.2).
    pub max_tries: u32,
    /// Digits. ASVS 6.5.4 wants 20 bits or close to it (six digits have 19.9), and the wire contract refuses
    /// an `otp` of more than six characters, so six is all that can be set; a setting all
    /// the same, so that a shorter one is refused with its reason instead of ignored.
    pub length: u8,
}

impl Otp {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        checks.range("otp.ttl_seconds", self.ttl.as_secs(), 1..=u64::MAX);
        checks.range("otp.max_tries", self.max_tries, 1..=100);
        checks.require(
            self.length >= 6,
            "otp.length",
            format!(
                "{} digits can be guessed (OWASP ASVS 6.5.4 wants six at least). Write 6",
                self.length
            ),
        );
        checks.require(
            self.length <= 6,
            "otp.length",
            format!(
                "{} digits would be refused by the API, whose clients send `otp` with 6 \
                 characters at most. Write 6",
                self.length
            ),
        );
    }
}
