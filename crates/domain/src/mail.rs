//! Mails as rows: their kinds, what state one is in, and when an attempt is repeated.

use std::time::Duration;

use jiff::Timestamp;

use crate::id::{ChallengeId, MailId, UserId};
use crate::otp::Purpose;

/// What a mail says. A new kind gets a variant here, a context with a sample in the worker's `mail`
/// room and three templates; the compiler and a snapshot test ask for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailKind {
    /// The code that confirms an address.
    VerifyEmail,
    /// "You already have an account": an address that has one was registered again.
    AlreadyRegistered,
    /// The code that allows a new password.
    ResetPassword,
    /// The code that confirms a deletion.
    DeleteAccount,
    /// The code that confirms a new address; it goes there.
    ChangeEmail,
    /// The code that logs in.
    LogIn,
    /// "Your password was changed."
    PasswordChanged,
    /// "Your address was changed", to the old one.
    EmailChanged,
    /// The farewell.
    AccountDeleted,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::VerifyEmail,
        Self::AlreadyRegistered,
        Self::ResetPassword,
        Self::DeleteAccount,
        Self::ChangeEmail,
        Self::LogIn,
        Self::PasswordChanged,
        Self::EmailChanged,
        Self::AccountDeleted,
    ];

    /// The kind that carries codes of a purpose.
    #[must_use]
    pub fn of_code(purpose: Purpose) -> Self {
        match purpose {
            Purpose::VerifyEmail => Self::VerifyEmail,
            Purpose::ResetPassword => Self::ResetPassword,
            Purpose::DeleteAccount => Self::DeleteAccount,
            Purpose::ChangeEmail => Self::ChangeEmail,
            Purpose::LogIn => Self::LogIn,
        }
    }

    /// The kind as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyRegistered => "already_registered",
            Self::ResetPassword => "reset_password",
            Self::DeleteAccount => "delete_account",
            Self::ChangeEmail => "change_email",
            Self::LogIn => "log_in",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// Codes go before notices.
    #[must_use]
    pub fn priority(self) -> Priority {
        match self {
            Self::VerifyEmail
            | Self::ResetPassword
            | Self::DeleteAccount
            | Self::ChangeEmail
            | Self::LogIn => Priority::Code,
            Self::AlreadyRegistered
            | Self::PasswordChanged
            | Self::EmailChanged
            | Self::AccountDeleted => Priority::Notice,
        }
    }
}

impl std::str::FromStr for MailKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// The two classes of the queue, the more urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A code, which a person waits for and which expires.
    Code,
    /// Anything else.
    Notice,
}

impl Priority {
    /// Every class, the most urgent first: the order in which a worker asks for work.
    pub const ORDER: [Self; 2] = [Self::Code, Self::Notice];

    /// The number in the queue; a greater one goes first.
    #[must_use]
    pub fn rank(self) -> u32 {
        match self {
            Self::Code => 10,
            Self::Notice => 0,
        }
    }

    /// The number in the queue of a mail in that lane.
    #[must_use]
    pub fn rank_in(self, lane: Lane) -> i64 {
        i64::from(self.rank()) - lane.step()
    }
}

/// Where a mail waits. Relays hang or break off at some recipients: mails to these are sent on the slow lane, a bounded
/// part of a worker's slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// With all others.
    Main,
    /// On the slow lane, after an attempt that failed at its recipient.
    Slow,
    /// On the slow lane for its first attempt, since relays hang at other recipients of its domain.
    SlowFirst,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 3] = [Self::Main, Self::Slow, Self::SlowFirst];

    /// How far the ranks of one lane are from those of the next.
    pub const STEP: i64 = 20;

    /// Whether it is the slow lane.
    #[must_use]
    pub fn is_slow(self) -> bool {
        self != Self::Main
    }

    /// How far a mail's rank in this lane is below that in the main one.
    #[must_use]
    pub fn step(self) -> i64 {
        match self {
            Self::Main => 0,
            Self::Slow => Self::STEP,
            Self::SlowFirst => 2 * Self::STEP,
        }
    }
}

/// A stored word that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not known to this version")]
pub struct UnknownWord(pub(crate) String);

/// What became of a mail, in the words a person sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailState {
    /// Waits for a worker.
    Queued,
    /// A worker is sending it.
    Sending,
    /// An attempt did not succeed; another will be made.
    Waiting,
    /// Accepted by the relay. Bounces that come later are not seen.
    Delivered,
    /// Refused for good.
    Undeliverable,
    /// Its code died before the relay took it.
    Expired,
    /// Its code was used, replaced or withdrawn before it was sent.
    NotNeeded,
    /// Withdrawn by an operator.
    Cancelled,
    /// Killed its worker three times and was set aside.
    Poison,
}

impl MailState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Sending,
        Self::Waiting,
        Self::Delivered,
        Self::Undeliverable,
        Self::Expired,
        Self::NotNeeded,
        Self::Cancelled,
        Self::Poison,
    ];

    /// The state as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Undeliverable => "undeliverable",
            Self::Expired => "expired",
            Self::NotNeeded => "not_needed",
            Self::Cancelled => "cancelled",
            Self::Poison => "poison",
        }
    }

    /// Whether nothing more will happen to the mail.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Sending | Self::Waiting)
    }
}

impl std::str::FromStr for MailState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A mail that is to be put into the queue, in the same transaction as what caused it.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// The mail's, and the job's, id.
    pub id: MailId,
    /// What it says.
    pub kind: MailKind,
    /// The mailbox it goes to.
    pub to: String,
    /// The address in the form that compares, so that it is found whatever the spelling.
    pub to_key: crate::email::EmailKey,
    /// The challenge whose code it carries.
    pub challenge: Option<ChallengeId>,
    /// The user it is about, if there is one.
    pub user: Option<UserId>,
    /// The request that caused it.
    pub request_id: String,
    /// When it was asked for.
    pub now: Timestamp,
    /// After this time it is of no use; `None` for notices.
    pub deadline: Option<Timestamp>,
    /// What the row keeps instead of the address once nothing more is to be done: the account is gone.
    pub forget_as: Option<String>,
}

/// How often a mail that killed its worker is given to another before it is set aside.
pub const MAX_CRASHES: u32 = 3;

/// How many attempts of a mail may be uncertain: the first, and one more.
pub const MAX_UNCERTAIN: u32 = 2;

/// The clause for a mail that did not end as delivered after so many uncertain attempts: the relay may have accepted
/// each of them.
#[must_use]
pub fn maybe_delivered(uncertain_attempts: u32) -> Option<&'static str> {
    match uncertain_attempts {
        0 => None,
        1 => Some(
            "it may have been delivered: an attempt ended without an answer after the end of data",
        ),
        _ => Some(
            "it may have been delivered: two attempts ended without an answer after the end of data, and a third could deliver a third copy",
        ),
    }
}

/// The reason of a mail that ends without being delivered, with the clause for so many uncertain attempts.
#[must_use]
pub fn undelivered(reason: &str, uncertain_attempts: u32) -> String {
    match maybe_delivered(uncertain_attempts) {
        Some(may_be) => format!("{reason}; {may_be}"),
        None => reason.to_owned(),
    }
}

/// When attempts of a mail with a code are made, counted from its request: 0, 5, 15, 45 s, 2, 4, 7 min.
const CODE_SCHEDULE: [u64; 7] = [0, 5, 15, 45, 120, 240, 420];

/// After the schedule above, a notice is tried every half hour.
const NOTICE_INTERVAL: Duration = Duration::from_mins(30);

/// For how long a notice, which has no deadline, is tried.
pub const NOTICE_LIFE: Duration = Duration::from_hours(24);

/// When the next attempt of a mail is due after `tries` attempts that the recipient's side deferred.
///
/// `jitter` in `-1.0..=1.0` spreads the pause by 20 % either way. `None`: no further attempt is
/// worth it, because the schedule is over or because less than a tenth of the code's life
/// (60 s at most) would be left.
#[must_use]
pub fn next_try(
    created: Timestamp,
    deadline: Option<Timestamp>,
    tries: u32,
    now: Timestamp,
    jitter: f64,
) -> Option<Timestamp> {
    let done = usize::try_from(tries).unwrap_or(usize::MAX).max(1);
    let gap = match (CODE_SCHEDULE.get(done), deadline) {
        (Some(&next), _) => Duration::from_secs(next - CODE_SCHEDULE[done - 1]),
        (None, Some(_)) => return None,
        (None, None) => NOTICE_INTERVAL,
    };
    let at = now + gap.mul_f64(1.0 + 0.2 * jitter.clamp(-1.0, 1.0));
    let last = match deadline {
        Some(deadline) => deadline - margin(created, deadline),
        None => created + NOTICE_LIFE,
    };
    (at <= last).then_some(at)
}

/// The longest that a mail which is not over may be told to wait: above every pause of the schedule. One
/// that waits for a later time does so because the clock was set back meanwhile.
#[must_use]
pub fn longest_pause(priority: Priority) -> Duration {
    match priority {
        Priority::Code => Duration::from_mins(4),
        Priority::Notice => Duration::from_mins(40),
    }
}

/// Whether a further attempt may still start now. The first one may as long as the code lives.
#[must_use]
pub fn may_start(
    created: Timestamp,
    deadline: Option<Timestamp>,
    earlier_tries: bool,
    now: Timestamp,
) -> bool {
    match deadline {
        None => now <= created + NOTICE_LIFE,
        Some(deadline) if earlier_tries => now <= deadline - margin(created, deadline),
        Some(deadline) => now < deadline,
    }
}

/// What must be left of a code's life for one more attempt: a tenth, but no more than a minute.
fn margin(created: Timestamp, deadline: Timestamp) -> Duration {
    let life = Duration::try_from(deadline.duration_since(created)).unwrap_or_default();
    (life / 10).min(Duration::from_mins(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn tries_of_a_code_follow_the_schedule_and_end_before_it_dies() {
        let mut now = at(0);
        let mut pauses = Vec::new();
        for tries in 1.. {
            let Some(next) = next_try(at(0), Some(at(600)), tries, now, 0.0) else {
                break;
            };
            pauses.push(next.duration_since(now).as_secs());
            now = next;
        }

        assert_eq!(pauses, [5, 10, 30, 75, 120, 180]);
    }

    #[test]
    fn a_code_of_one_second_gets_its_first_try() {
        assert!(may_start(at(0), Some(at(1)), false, at(0)));
        assert_eq!(next_try(at(0), Some(at(1)), 1, at(0), -1.0), None);
    }

    #[test]
    fn a_later_try_does_not_start_when_less_than_a_minute_is_left() {
        assert!(may_start(at(0), Some(at(600)), true, at(540)));
        assert!(!may_start(at(0), Some(at(600)), true, at(541)));
        assert!(may_start(at(0), Some(at(600)), false, at(599)));
        assert!(!may_start(at(0), Some(at(600)), false, at(600)));
    }

    #[test]
    fn a_notice_is_tried_every_half_hour_for_a_day() {
        assert_eq!(next_try(at(0), None, 9, at(3600), 0.0), Some(at(5400)));
        assert_eq!(next_try(at(0), None, 60, at(86_000), 0.0), None);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(next_try(at(0), Some(at(600)), 1, at(0), -1.0), Some(at(4)));
        assert_eq!(next_try(at(0), Some(at(600)), 1, at(0), 1.0), Some(at(6)));
    }

    #[test]
    fn no_pause_of_the_schedule_is_longer_than_the_longest() {
        for (deadline, priority) in [(Some(at(600)), Priority::Code), (None, Priority::Notice)] {
            for tries in 1..60 {
                let next = next_try(at(0), deadline, tries, at(0), 1.0);
                let pause = next.map(|next| next.duration_since(at(0)));
                let longest = longest_pause(priority);
                assert!(pause.is_none_or(|pause| pause.unsigned_abs() < longest));
            }
        }
    }

    #[test]
    fn words_are_read_back() {
        for kind in MailKind::ALL {
            assert_eq!(kind.as_str().parse::<MailKind>().unwrap(), kind);
        }
        for state in MailState::ALL {
            assert_eq!(state.as_str().parse::<MailState>().unwrap(), state);
        }
    }
}
