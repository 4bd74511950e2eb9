//! `[accounts]`: registrations, passwords and sessions. Read by the API, and by the command line
//! tool when it sets passwords.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::check::Checks;
use super::serde_formats;

/// Rules for passwords, and the lifetimes of registrations and sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accounts {
    /// Whether registering a registered address is answered with an error. That reveals which
    /// addresses have an account (ASVS 6.3.8); off by default.
    pub reveal_registered_emails: bool,
    /// Whether users can log in with a mailed code instead of the password. Never a second factor:
    /// mail is not an authenticator (NIST SP 800-63B-4 §3.1.3.1).
    pub otp_login: bool,
    /// `registration_lapse_seconds`: how long an unverified registration reserves its username.
    #[serde(rename = "registration_lapse_seconds", with = "serde_formats::seconds")]
    pub registration_lapse: Duration,
    /// Shortest password in characters, 8 to 64 (ASVS 6.2.1, NIST SP 800-63B-4 §3.1.1.2).
    pub password_min_length: usize,
    /// Longest password in characters; 64 must be possible (ASVS 6.2.9).
    pub password_max_length: usize,
    /// argon2id's memory in KiB (ASVS 11.4.2).
    pub argon2_memory_kib: u32,
    /// argon2id's passes (ASVS 11.4.2).
    pub argon2_iterations: u32,
    /// argon2id's lanes (ASVS 11.4.2).
    pub argon2_parallelism: u32,
    /// Threads that hash passwords, at least one; a 0 in the settings was replaced by the number of
    /// cores.
    #[serde(deserialize_with = "threads")]
    pub hash_threads: usize,
    /// Passwords that may wait for a thread; more are answered 503. One client gets at most a
    /// quarter of the queue and threads, unless limits are disabled.
    pub hash_queue: usize,
    /// `session_idle_seconds`: a session ends after being unused for this time (ASVS 7.3.1).
    #[serde(rename = "session_idle_seconds", with = "serde_formats::seconds")]
    pub session_idle: Duration,
    /// `session_max_seconds`: a session ends after this time even if it is used (ASVS 7.3.2).
    #[serde(rename = "session_max_seconds", with = "serde_formats::seconds")]
    pub session_max: Duration,
    /// `keep_audit_days`: how long audit rows (security events) are kept (ASVS 16.4).
    #[serde(rename = "keep_audit_days", with = "serde_formats::days")]
    pub keep_audit: Duration,
}

impl Accounts {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        let lapse = self.registration_lapse.as_secs();
        checks.range("accounts.registration_lapse_seconds", lapse, 1..=u64::MAX);
        checks.range(
            "accounts.password_min_length",
            self.password_min_length,
            8..=64,
        );
        checks.range(
            "accounts.password_max_length",
            self.password_max_length,
            64..=4096,
        );
        checks.range("accounts.hash_threads", self.hash_threads, 1..=1024);
        checks.range("accounts.hash_queue", self.hash_queue, 1..=100_000);
        checks.range(
            "accounts.session_idle_seconds",
            self.session_idle.as_secs(),
            1..=u64::MAX,
        );
        checks.require(
            self.session_idle <= self.session_max,
            "accounts.session_idle_seconds",
            format!(
                "{} s is more than accounts.session_max_seconds ({} s) and would have no effect. \
                 Lower it, or raise the other",
                self.session_idle.as_secs(),
                self.session_max.as_secs()
            ),
        );
        self.check_argon2(checks);
    }

    /// OWASP ASVS 11.4.2 and the Password Storage Cheat Sheet: nothing below m=19456, t=2, p=1. The
    /// upper bounds catch mistakes: one login would use up the machine.
    fn check_argon2(&self, checks: &mut Checks<'_>) {
        let audit_days = self.keep_audit.as_secs() / 86_400;
        checks.range("accounts.keep_audit_days", audit_days, 1..=3650);
        let mut strength = |key, value: u32, least: u32, most: u32| {
            checks.require(
                value >= least,
                key,
                format!("{value} is weaker than OWASP ASVS 11.4.2 allows. Write {least} or more"),
            );
            checks.range(key, value, 0..=most);
        };
        strength(
            "accounts.argon2_memory_kib",
            self.argon2_memory_kib,
            19_456,
            1024 * 1024,
        );
        strength("accounts.argon2_iterations", self.argon2_iterations, 2, 100);
        strength(
            "accounts.argon2_parallelism",
            self.argon2_parallelism,
            1,
            64,
        );
    }
}

fn threads<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    Ok(match usize::deserialize(from)? {
        0 => std::thread::available_parallelism().map_or(1, Into::into),
        written => written,
    })
}
