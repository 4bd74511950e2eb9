//! `[limits]`: rates and budgets against abuse. Read by the API.

use serde::{Deserialize, Serialize};

use super::check::Checks;

/// Rates and budgets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// False lifts every rate and budget, those of mail too; the tries per code and the
    /// hourly notice stay. Never false in production.
    pub enabled: bool,
    /// Anonymous requests of one client in a second, over time.
    pub requests_per_second_per_client: u32,
    /// Anonymous requests of one client at once.
    pub request_burst_per_client: u32,
    /// Notes that one user may write in a second, over time. Deleting is never counted.
    pub note_writes_per_second_per_user: u32,
    /// Notes that one user may write at once, each edit of a batch for one.
    pub note_write_burst_per_user: u32,
    /// Logins and changes of one user's account in an hour, over time.
    pub account_changes_per_hour_per_user: u32,
    /// Logins and changes of one user's account at once.
    pub account_change_burst_per_user: u32,
    /// Requests of one user that are answered at once, whatever `enabled` says; up to 32 more wait their turn, and any
    /// number where limits are lifted.
    pub requests_in_flight_per_user: u32,
    /// Registrations of one mail address that may be alive at once; one more is refused, none is
    /// evicted. One client may have half of them, and the last is for a client that has none.
    pub live_attempts_per_address: u32,
    /// Mails with codes that one mailbox gets in a minute, whatever the spelling of its address.
    pub code_mails_per_minute: u32,
    /// The same in an hour; one client may cause at most half of them, and the last fifth is for clients that have caused
    /// none. Clients that the account knows have half as many more, and a user who is logged in as many of their own.
    pub code_mails_per_hour: u32,
    /// Codes that one client, or one user who is logged in, may ask for in a minute.
    pub code_requests_per_minute: u32,
    /// Registrations of one client in an hour.
    pub registrations_per_hour: u32,
    /// Wrong codes of one client in an hour, whomever they are for, but for those with a live challenge.
    pub wrong_codes_per_hour: u32,
    /// Refused logins of one client in an hour, whomever they are for; accounts that know the client are excepted.
    pub refused_logins_per_client_and_hour: u32,
    /// Refused logins of one account in an hour, from clients it does not know: half of them by its name, half by its
    /// address. As many wrong passwords may be given by one user who is logged in.
    pub refused_logins_per_account_and_hour: u32,
    /// Refused logins of one account from one client within five minutes, after which each costs twice the pause
    /// of the one before.
    pub refused_logins_without_pause: u32,
}

impl Limits {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        let live = self.live_attempts_per_address;
        checks.range("limits.live_attempts_per_address", live, 1..=1000);
        // A full batch must pass.
        let burst = self.note_write_burst_per_user;
        checks.range("limits.note_write_burst_per_user", burst, 100..=10_000_000);
        for (key, value) in [
            (
                "limits.note_writes_per_second_per_user",
                self.note_writes_per_second_per_user,
            ),
            (
                "limits.account_changes_per_hour_per_user",
                self.account_changes_per_hour_per_user,
            ),
            (
                "limits.account_change_burst_per_user",
                self.account_change_burst_per_user,
            ),
            (
                "limits.requests_per_second_per_client",
                self.requests_per_second_per_client,
            ),
            (
                "limits.request_burst_per_client",
                self.request_burst_per_client,
            ),
            (
                "limits.requests_in_flight_per_user",
                self.requests_in_flight_per_user,
            ),
            ("limits.code_mails_per_minute", self.code_mails_per_minute),
            ("limits.code_mails_per_hour", self.code_mails_per_hour),
            (
                "limits.code_requests_per_minute",
                self.code_requests_per_minute,
            ),
            ("limits.registrations_per_hour", self.registrations_per_hour),
            ("limits.wrong_codes_per_hour", self.wrong_codes_per_hour),
            (
                "limits.refused_logins_per_client_and_hour",
                self.refused_logins_per_client_and_hour,
            ),
            (
                "limits.refused_logins_per_account_and_hour",
                self.refused_logins_per_account_and_hour,
            ),
            (
                "limits.refused_logins_without_pause",
                self.refused_logins_without_pause,
            ),
        ] {
            checks.range(key, value, 1..=10_000);
        }
    }
}
