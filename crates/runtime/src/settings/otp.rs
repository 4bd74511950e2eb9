//! `[otp]`: one-time codes. Read by the API, which checks them, and by the worker, which derives
//! and mails them; both need the same values.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::serde_formats;

/// The lifetime, the tries and the length of a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Otp {
    /// `ttl_seconds`: the lifetime of a code from its request; at least one second.
    #[serde(rename = "ttl_seconds", with = "serde_formats::seconds")]
    pub ttl: Duration,
    /// Wrong tries after which a code is invalid; at most 100 (NIST SP 800-63B-4 §3.2.2).
    pub max_tries: u32,
    /// The number of digits. ASVS 6.5.4 requires about 20 bits (six digits have 19.9), and the
    /// API's contract refuses an `otp` of more than six characters, so six is the only valid value.
    /// It is a setting so that another value is refused with a reason instead of being ignored.
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
                "{} digits can be guessed (OWASP ASVS 6.5.4 requires at least six). Write 6",
                self.length
            ),
        );
        checks.require(
            self.length <= 6,
            "otp.length",
            format!(
                "{} digits would be refused by the API, which accepts `otp` with 6 \
                 characters at most. Write 6",
                self.length
            ),
        );
    }
}
