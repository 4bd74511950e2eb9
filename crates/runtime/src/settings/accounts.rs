//! `[accounts]`: registrations, passwords and sessions. Read by the API, and by the
//! command line where it sets passwords.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::check::Checks;
use super::units;

/// What is asked of passwords, and how long registrations and sessions last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accounts {
    /// Whether registering a registered address is answered with an error. That tells
    /// anyone who has an account (ASVS 6.3.8); off by default.
    pub reveal_registered_emails: bool,
    /// Whether one can log in with a code from a mail instead of the password. Never a second
    /// factor: mail is no authenticator (NIST SP 800-63B-4 §3.1.3.1).
    pub otp_login: bool,
    /// `registration_lapse_seconds`: how long an unverified registration holds its name.
    #[serde(rename = "registration_lapse_seconds", with = "units::seconds")]
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
    /// Threads that hash passwords, one at least: 0 was replaced by the number of cores.
    #[serde(deserialize_with = "threads")]
    pub hash_threads: usize,
    /// Passwords that may wait for a thread; more are answered 503. One client has at most a
    /// quarter of these and of the threads, unless limits are lifted.
    pub hash_queue: usize,
    /// `session_idle_seconds`: a session not used for so long ends (ASVS 7.3.1).
    #[serde(rename = "session_idle_seconds", with = "units::seconds")]
    pub session_idle: Duration,
    /// `session_max_seconds`: a session ends after so long in any case (ASVS 7.3.2).
    #[serde(rename = "session_max_seconds", with = "units::seconds")]
    pub session_max: Duration,
    /// `keep_audit_days`: how long the record of security events is kept (ASVS 16.4).
    #[serde(rename = "keep_audit_days", with = "units::days")]
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
                "{} s is more than accounts.session_max_seconds ({} s) and would never count. \
                 Lower it, or raise the other",
                self.session_idle.as_secs(),
                self.session_max.as_secs()
            ),
        );
        self.check_argon2(checks);
    }

    /// OWASP ASVS 11.4.2 and the Password Storage Cheat Sheet: nothing below m=19456, t=2,
    /// p=1. The upper ends are slips: one login would take the machine.
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
