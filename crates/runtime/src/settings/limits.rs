//! `[limits]`: rates and budgets against abuse. Read by the API.

use serde::{Deserialize, Serialize};

use super::check::Checks;

/// The rates and budgets of clients and users.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// False disables every rate and budget, including those of mail; the tries per code and the
    /// hourly notice stay. Must not be false in production.
    pub enabled: bool,
    /// Anonymous requests of one client per second, on average.
    pub requests_per_second_per_client: u32,
    /// Anonymous requests of one client in a burst.
    pub request_burst_per_client: u32,
    /// Notes that one user may write per second, on average. Deletions are not counted.
    pub note_writes_per_second_per_user: u32,
    /// Notes that one user may write in a burst. Each edit of a batch counts as one.
    pub note_write_burst_per_user: u32,
    /// Logins and changes of one user's account per hour, on average.
    pub account_changes_per_hour_per_user: u32,
    /// Logins and changes of one user's account in a burst.
    pub account_change_burst_per_user: u32,
    /// Requests of one user that are processed at the same time, whatever the value of `enabled`.
    /// Up to 32 more wait, or any number if limits are disabled.
    pub requests_in_flight_per_user: u32,
    /// Pending registrations of one mail address. One more is refused; none is evicted. One client
    /// may have half of them, and the last one is reserved for a client without any.
    pub pending_registrations_per_address: u32,
    /// Mails with codes to one mailbox per minute, whatever the spelling of its address.
    pub code_mails_per_minute: u32,
    /// The same per hour. One client may cause at most half of them, and the last fifth is reserved
    /// for clients that have caused none. Clients that the account knows get half as many more, and
    /// a logged-in user has a separate budget of the same size.
    pub code_mails_per_hour: u32,
    /// Codes that one client, or one logged-in user, may request per minute.
    pub code_requests_per_minute: u32,
    /// Registrations of one client per hour.
    pub registrations_per_hour: u32,
    /// Wrong codes of one client per hour, for any account, except those with a live challenge.
    pub wrong_codes_per_hour: u32,
    /// Refused logins of one client per hour, for any account, except accounts that know the
    /// client.
    pub refused_logins_per_client_and_hour: u32,
    /// Refused logins of one account per hour from clients that it does not know: half by its
    /// username, half by its mail address. Also the number of wrong passwords per hour of one
    /// logged-in user.
    pub refused_logins_per_account_and_hour: u32,
    /// Refused logins of one account from one client within five minutes without a pause. After
    /// that, each doubles the pause.
    pub refused_logins_without_pause: u32,
}

impl Limits {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        let live = self.pending_registrations_per_address;
        checks.range("limits.pending_registrations_per_address", live, 1..=1000);
        // A full batch must fit into the burst.
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
