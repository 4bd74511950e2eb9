//! Times, spans, numbers and kinds of mail as phrases in a sentence. All times are in UTC.

use domain::mail::MailKind;
use jiff::{SignedDuration, Timestamp};

/// Formats times as seen from now: those of today without the date.
#[derive(Clone, Copy)]
pub struct TimeFormat {
    now: Timestamp,
}

impl TimeFormat {
    /// As seen from that time.
    pub fn at(now: Timestamp) -> Self {
        Self { now }
    }

    /// A time to the second.
    pub fn time(self, time: Timestamp) -> String {
        let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
        if day(time) == day(self.now) {
            time.strftime("%H:%M:%S").to_string()
        } else {
            time.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
    }

    /// Whether a time is in the future.
    pub fn is_ahead(self, time: Timestamp) -> bool {
        time > self.now
    }
}

/// A time with its date, to the second.
#[must_use]
pub fn to_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A time with its date, to the millisecond.
#[must_use]
pub fn to_millis(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// A span of seconds in the largest unit that fits. A negative span is none.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..0 => "0 s".to_owned(),
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A duration, to the nearest second.
pub fn duration(span: SignedDuration) -> String {
    match span.as_millis().saturating_add(500) / 1000 {
        ..1 => "less than a second".to_owned(),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A number of times: "once", "twice".
pub fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        3 => "three times".to_owned(),
        4 => "four times".to_owned(),
        many => format!("{many} times"),
    }
}

/// An ordinal number: "first", "second".
pub fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        4 => "fourth".to_owned(),
        5 => "fifth".to_owned(),
        many => match (many % 10, many % 100) {
            (1, tens) if tens != 11 => format!("{many}st"),
            (2, tens) if tens != 12 => format!("{many}nd"),
            (3, tens) if tens != 13 => format!("{many}rd"),
            _ => format!("{many}th"),
        },
    }
}

/// A kind of mail as the subject of a sentence.
pub fn kind(kind: &str) -> String {
    let Ok(known) = kind.parse() else {
        return format!("A mail of kind {kind}");
    };
    let words = match known {
        MailKind::VerifyEmail => "A verification code",
        MailKind::AlreadyRegistered => "A notice that the address already has an account",
        MailKind::ResetPassword => "A password reset code",
        MailKind::DeleteAccount => "A code to confirm the deletion of the account",
        MailKind::ChangeEmail => "A code to confirm a new address",
        MailKind::LogIn => "A login code",
        MailKind::PasswordChanged => "A notice that the password was changed",
        MailKind::EmailChanged => "A notice that the address was changed",
        MailKind::AccountDeleted => "A notice that the account was deleted",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_mail_from_a_newer_version_is_named() {
        assert_eq!(kind("log_in"), "A login code");
        assert_eq!(kind("postcard"), "A mail of kind postcard");
    }

    #[test]
    fn small_numbers_are_written_as_words() {
        assert_eq!([1, 2, 7].map(times), ["once", "twice", "7 times"]);
        let ordinals = [3, 6, 11, 21, 22, 113].map(ordinal);
        assert_eq!(ordinals, ["third", "6th", "11th", "21st", "22nd", "113th"]);
    }

    #[test]
    fn a_duration_is_rounded_to_the_nearest_second() {
        let durations = [400, 1_400, 119_600, 7_199_000, 90_000_000]
            .map(|millis| duration(SignedDuration::from_millis(millis)));

        assert_eq!(
            durations,
            [
                "less than a second",
                "1 s",
                "2 min 0 s",
                "119 min 59 s",
                "25 h 0 min"
            ]
        );
    }

    #[test]
    fn only_times_of_other_days_have_a_date() {
        let format = TimeFormat::at("2026-11-22T12:00:00Z".parse().unwrap());

        assert_eq!(
            format.time("2026-11-22T00:00:01Z".parse().unwrap()),
            "00:00:01"
        );
        assert_eq!(
            format.time("2026-11-21T23:59:59Z".parse().unwrap()),
            "2026-11-21 23:59:59"
        );
    }

    #[test]
    fn spans_have_one_unit() {
        let spans = [-1, 119, 120, 7199, 7200, 172_799, 172_800].map(span);

        assert_eq!(
            spans,
            ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]
        );
    }
}
