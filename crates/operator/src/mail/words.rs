//! Times, numbers and kinds of mail as words in a sentence.

use jiff::{SignedDuration, Timestamp};

/// Tells times as seen from now: today's without their date. In UTC, as everywhere.
#[derive(Clone, Copy)]
pub struct Told {
    now: Timestamp,
}

impl Told {
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

    /// Whether a time is yet to come.
    pub fn is_ahead(self, time: Timestamp) -> bool {
        time > self.now
    }
}

/// How long something took, to the nearest second.
pub fn took(span: SignedDuration) -> String {
    match span.as_millis().saturating_add(500) / 1000 {
        ..1 => "less than a second".to_owned(),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// How often.
pub fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        3 => "three times".to_owned(),
        4 => "four times".to_owned(),
        many => format!("{many} times"),
    }
}

/// Which one in a row.
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

/// What a mail of a kind is.
pub fn kind(kind: &str) -> String {
    let words = match kind {
        "verify_email" => "A verification code",
        "already_registered" => "A notice that the address has an account already",
        "reset_password" => "A code for a new password",
        "delete_account" => "A code that confirms a deletion",
        "change_email" => "A code that confirms a new address",
        "log_in" => "A code to log in",
        "password_changed" => "A notice that the password was changed",
        "email_changed" => "A notice that the address was changed",
        "account_deleted" => "The farewell of a deleted account",
        other => return format!("A mail of the kind {other}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use domain::mail::MailKind;

    use super::*;

    #[test]
    fn every_kind_of_mail_has_its_words() {
        for known in MailKind::ALL {
            let words = kind(known.as_str());
            assert!(!words.contains("of the kind"), "{words}");
        }
    }

    #[test]
    fn numbers_are_told_as_people_do() {
        assert_eq!([1, 2, 7].map(times), ["once", "twice", "7 times"]);
        let ordinals = [3, 6, 11, 21, 22, 113].map(ordinal);
        assert_eq!(ordinals, ["third", "6th", "11th", "21st", "22nd", "113th"]);
    }

    #[test]
    fn a_span_is_told_to_the_nearest_second() {
        let told = [400, 1_400, 119_600, 7_199_000, 90_000_000]
            .map(|millis| took(SignedDuration::from_millis(millis)));

        assert_eq!(
            told,
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
        let told = Told::at("2026-11-22T12:00:00Z".parse().unwrap());

        assert_eq!(
            told.time("2026-11-22T00:00:01Z".parse().unwrap()),
            "00:00:01"
        );
        assert_eq!(
            told.time("2026-11-21T23:59:59Z".parse().unwrap()),
            "2026-11-21 23:59:59"
        );
    }
}
