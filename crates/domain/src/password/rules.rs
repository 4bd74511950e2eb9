//! The rules for new passwords: length, a list of common passwords, and similarity to the account's
//! attributes.
//!
//! There is no rule of composition and no score of strength (NIST SP 800-63B-4, section 3.1.1.2; OWASP
//! ASVS 5.0 6.2.5). Asked only for a password that is newly chosen: whoever has one keeps it.

use caseless::default_case_fold_str;
use passwords::analyzer::is_common_password;
use similar::{Algorithm, capture_diff_slices, get_diff_ratio};
use unicode_normalization::UnicodeNormalization;

/// How long a password may be, in code points of its NFC form, so that it does not depend on the keyboard (NIST SP
/// 800-63B-4, section 3.1.1.2; OWASP ASVS 5.0 6.2.1, 6.2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthRule {
    /// The shortest password accepted.
    pub min: usize,
    /// The longest password accepted; hashing cost does not depend on it.
    pub max: usize,
}

impl Default for LengthRule {
    fn default() -> Self {
        Self { min: 8, max: 256 }
    }
}

/// The reason why a password is refused. Where Django has a message for it, the wording is
/// Django's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer code points than the rule asks for.
    #[error("This password is too short. It must contain at least {0} characters.")]
    TooShort(usize),
    /// More code points than the rule allows.
    #[error("Ensure this field has no more than {0} characters.")]
    TooLong(usize),
    /// Among the commonest (OWASP ASVS 5.0 6.2.4).
    #[error("This password is too common.")]
    TooCommon,
    /// Close to the name of this service (OWASP ASVS 5.0 6.2.11).
    #[error("The password is too similar to the name of this service.")]
    SimilarToService,
    /// Close to something of the account (OWASP ASVS 5.0 6.2.11).
    #[error("The password is too similar to the {0}.")]
    SimilarTo(Attribute),
}

/// An attribute of an account that a password must not resemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The username of the account.
    Username,
    /// The mail address; its parts count as well.
    Email,
}

impl std::fmt::Display for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::Email => "email",
        })
    }
}

/// A password as like as this is too similar, as Django's `UserAttributeSimilarityValidator` has it.
const TOO_SIMILAR: f32 = 0.7;

const SERVICE: [&str; 3] = ["smartnotes", "smart notes", "smart-notes"];

/// The reasons against a password. One that is too long is not checked further.
pub(super) fn faults(
    text: &str,
    rule: LengthRule,
    account: &[(Attribute, &str)],
) -> Vec<PasswordError> {
    let length = text.chars().count();
    if length > rule.max {
        return vec![PasswordError::TooLong(rule.max)];
    }
    let folded = fold(text);
    let mut found = Vec::new();
    if length < rule.min {
        found.push(PasswordError::TooShort(rule.min));
    }
    if is_common(&folded) {
        found.push(PasswordError::TooCommon);
    }
    if SERVICE.iter().any(|name| is_similar(&folded, name)) {
        found.push(PasswordError::SimilarToService);
    }
    found.extend(similarities(text, account));
    found
}

/// What of its account a password is too close to: each attribute is compared whole and word by word.
pub(super) fn similarities(text: &str, account: &[(Attribute, &str)]) -> Vec<PasswordError> {
    let folded = fold(text);
    account
        .iter()
        .filter(|(_, value)| {
            let value = fold(value);
            let local = value.rsplit_once('@').map(|(local, _)| local);
            value
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .chain([value.as_str()])
                .chain(local)
                .any(|part| is_similar(&folded, part))
        })
        .map(|&(attribute, _)| PasswordError::SimilarTo(attribute))
        .collect()
}

/// Whether a folded password is among the commonest, offline. OWASP ASVS 5.0 6.2.4 asks for 3,000 that the
/// length rule lets through; of the list's 100,000, 47,000 have eight characters or more. It holds each in the
/// spelling it was leaked in, so the usual spellings are all looked up.
///
/// The list comes with the crate `passwords`, copyright magiclen.org (Ron Li), under the MIT licence.
fn is_common(folded: &str) -> bool {
    let mut letters = folded.chars();
    let capitalised: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    [folded, &capitalised, &folded.to_uppercase()]
        .iter()
        .any(is_common_password)
}

/// Whether the whole password is like a text: twice the characters they share, in order, by all that both
/// have. A long password that merely holds the text is not (NIST SP 800-63B-4, section 3.1.1.2: the
/// entire password is compared, not words in it).
fn is_similar(folded: &str, text: &str) -> bool {
    let password: Vec<char> = folded.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (shorter, both) = (password.len().min(text.len()), password.len() + text.len());
    // Lengths this far apart (below a ratio of 0.7) can't be alike, and would cost the most to compare.
    if shorter == 0 || 20 * shorter < 7 * both {
        return false;
    }
    let changes = capture_diff_slices(Algorithm::Myers, &password, &text);
    get_diff_ratio(&changes, password.len(), text.len()) >= TOO_SIMILAR
}

/// The form in which a password compares to lists and names; never the one that is hashed.
fn fold(text: &str) -> String {
    let normal: String = text.trim().nfkc().collect();
    default_case_fold_str(&normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Password;

    fn refused(text: &str) -> Vec<PasswordError> {
        Password::choose(text, LengthRule::default(), &[])
            .err()
            .unwrap_or_default()
    }

    fn similar(text: &str, username: &str, email: &str) -> Vec<PasswordError> {
        let account = [(Attribute::Username, username), (Attribute::Email, email)];
        Password::new(text).too_similar(&account)
    }

    /// NIST SP 800-63B-4, section 3.1.1.2; OWASP ASVS 5.0 6.2.1, 6.2.8, 6.2.9.
    #[test]
    fn length_counts_code_points_and_nothing_is_trimmed() {
        assert_eq!(refused("x7_Qp2!"), [PasswordError::TooShort(8)]);
        assert_eq!(refused("тайный12"), []);
        assert_eq!(refused(" a b c  "), []);
        assert_eq!(refused(&"éx".repeat(128)), []);
        assert_eq!(refused(&"é".repeat(257)), [PasswordError::TooLong(256)]);
        assert_eq!(
            refused("u\u{308}u\u{308}u\u{308}u\u{308}"),
            [PasswordError::TooShort(8)]
        );
        assert_eq!(refused(&"e\u{301}x".repeat(128)), []);
    }

    /// OWASP ASVS 5.0 6.2.4, 6.2.12.
    #[test]
    fn the_commonest_are_refused_in_any_case() {
        for common in [
            "password",
            "PASSWORD",
            "Password1",
            "pAsSwOrD",
            "qwertyuiop",
            "1234567890",
            "ILoveYou2",
            "ｐａｓｓｗｏｒｄ",
            " baseball ",
            "1001wdst",
            "12345678",
            "11111111",
            "87654321",
            "1qaz2wsx",
            "1q2w3e4r",
            "q1w2e3r4",
            "zaq12wsx",
            "qwerty123",
            "abcd1234",
            "asdfghjkl",
            "passw0rd",
            "password123",
            "sunshine",
            "princess",
            "football",
            "trustno1",
            "superman",
            "starwars",
            "whatever",
            "computer",
            "internet",
            "michelle",
            "jennifer",
            "liverpool",
            "december",
            "einstein",
        ] {
            assert_eq!(refused(common), [PasswordError::TooCommon], "{common}");
        }
    }

    /// OWASP ASVS 5.0 6.2.5: no rule of composition.
    #[test]
    fn uncommon_ones_need_no_digits_nor_signs() {
        for fine in [
            "correct horse battery",
            "Str0ng!pass-phrase",
            "N3w!pass-phrase",
            "An0ther!pass",
            "ochsenblutrot",
            "83650174926",
        ] {
            assert_eq!(refused(fine), [], "{fine}");
        }
    }

    /// OWASP ASVS 5.0 6.2.11.
    #[test]
    fn the_name_of_the_service_is_refused() {
        for name in [
            "smartnotes",
            "Smart Notes",
            "SMART-NOTES",
            "smart_notes",
            "SmartNotes1!",
            "smartnotes2024",
        ] {
            assert_eq!(refused(name), [PasswordError::SimilarToService], "{name}");
        }
        assert_eq!(refused("smart people lose their notes"), []);
    }

    #[test]
    fn several_faults_are_all_told() {
        let account = [(Attribute::Username, "jessica")];
        let found = Password::choose("jessica", LengthRule::default(), &account);

        assert_eq!(
            found.unwrap_err(),
            [
                PasswordError::TooShort(8),
                PasswordError::TooCommon,
                PasswordError::SimilarTo(Attribute::Username),
            ]
        );
    }

    /// OWASP ASVS 5.0 6.2.11; Django's `UserAttributeSimilarityValidator`.
    #[test]
    fn what_is_like_the_username_is_refused() {
        for close in [
            "rosalind",
            "ROSALIND",
            "rosalind12",
            "Ros4lind",
            "rosalind!",
        ] {
            let told = similar(close, "Rosalind", "u@example.org");
            assert_eq!(
                told,
                [PasswordError::SimilarTo(Attribute::Username)],
                "{close}"
            );
        }
        assert_eq!(similar("alice1234", "alice", "").len(), 1);
        assert_eq!(similar("ｒｏｓａｌｉｎｄ", "rosalind", "").len(), 1);
    }

    #[test]
    fn what_is_like_the_address_or_a_part_of_it_is_refused() {
        let email = "rosa.luxemburg@freiheit.example";
        for close in [
            "rosa.luxemburg@freiheit.example",
            "rosa.luxemburg",
            "RosaLuxemburg",
            "luxemburg1",
            "freiheit99",
        ] {
            let told = similar(close, "somebody", email);
            assert_eq!(
                told,
                [PasswordError::SimilarTo(Attribute::Email)],
                "{close}"
            );
        }
    }

    /// NIST SP 800-63B-4, section 3.1.1.2: the entire password is compared, not words in it.
    #[test]
    fn a_long_password_may_hold_the_name() {
        assert_eq!(
            similar("no alice in any wonderland", "alice", "alice@example.org"),
            []
        );
        assert_eq!(
            similar("Str0ng!pass-phrase", "u12xab34cd", "u12xab34cd@example.org"),
            []
        );
        assert_eq!(similar("correct horse battery", "", "a@b.example"), []);
    }

    #[test]
    fn messages_are_those_that_clients_know() {
        let told = [
            PasswordError::TooCommon,
            PasswordError::SimilarTo(Attribute::Username),
            PasswordError::SimilarTo(Attribute::Email),
        ]
        .map(|error| error.to_string());

        assert_eq!(
            told,
            [
                "This password is too common.",
                "The password is too similar to the username.",
                "The password is too similar to the email.",
            ]
        );
    }
}
