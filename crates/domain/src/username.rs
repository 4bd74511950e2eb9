//! Usernames: validation and comparison.

use caseless::default_case_fold_str;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::script::ScriptWithExtensions;
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

use crate::email::{EmailAddress, EmailKey};

/// The longest username, in characters.
pub const MAX_LENGTH: usize = 150;

/// A username in Unicode normal form NFKC, as shown to users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username {
    name: String,
    key: NameKey,
}

/// The form in which usernames compare: NFKC, case-folded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameKey(String);

/// The reason why a text is not a username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Holds a character that is neither a letter with its marks, a number nor one of `@ . + - _`, or nothing at all.
    #[error("a username holds only letters, numbers and @/./+/-/_ characters")]
    Invalid,
    /// More than [`MAX_LENGTH`] characters.
    #[error("a username has at most {MAX_LENGTH} characters")]
    TooLong,
}

impl Username {
    /// Reads a username, ignoring surrounding white space.
    ///
    /// Letters and numbers are those of any script (Python's `\w`, as the service this one replaces had it), together
    /// with the combining signs without which words of many scripts can't be written.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        let trimmed = text.trim();
        if trimmed.is_empty() || !is_name(trimmed) {
            return Err(UsernameError::Invalid);
        }
        let name: String = trimmed.nfkc().collect();
        if trimmed.chars().count() > MAX_LENGTH || name.chars().count() > MAX_LENGTH {
            return Err(UsernameError::TooLong);
        }
        if !is_name(&name) {
            return Err(UsernameError::Invalid);
        }
        let key = NameKey::of(&name);
        Ok(Self { name, key })
    }

    /// The name as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The form in which names compare.
    #[must_use]
    pub fn key(&self) -> &NameKey {
        &self.key
    }

    /// Whether it is a mail address, and another than this one. A new user has no such name: who logs in with that
    /// address would be answered otherwise once it has an account (OWASP ASVS 5.0 6.3.8).
    #[must_use]
    pub fn is_address_but(&self, own: &EmailKey) -> bool {
        EmailAddress::parse(&self.name).is_ok_and(|address| address.key() != own)
    }
}

impl NameKey {
    /// The key of any text, a username or not: what a login looks up.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let normal: String = text.trim().nfkc().collect();
        Self(default_case_fold_str(&normal).nfkc().collect())
    }

    /// The key as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for NameKey {
    /// A key read back from a store.
    fn from(stored: String) -> Self {
        Self(stored)
    }
}

/// A name for a mail, where a whole one could pose as a link: its first two characters and three dots.
///
/// ```
/// assert_eq!(domain::username::mask("alice"), "al•••");
/// ```
#[must_use]
pub fn mask(name: &str) -> String {
    // Punctuation alone could still look like the start of something, so it is left out.
    let start: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(2)
        .collect();
    format!("{start}•••")
}

fn is_name(text: &str) -> bool {
    let mut base = None;
    let mut previous = None;
    text.chars().all(|c| {
        let letter = c.is_alphanumeric() || "@.+-_".contains(c);
        let fits = letter || (previous != Some(c) && base.is_some_and(|base| is_sign_on(c, base)));
        previous = Some(c);
        if !is_mark(c) {
            base = Some(c);
        }
        fits
    })
}

fn is_mark(c: char) -> bool {
    matches!(
        CodePointMapData::<GeneralCategory>::new().get(c),
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark
    )
}

/// Whether `c` is a visible combining sign of the script of the letter it stands on: a virama, a tone mark, a nukta.
/// European accents are part of their letters after NFKC; those that are not stay refused, since they could make two
/// names look alike (Unicode Technical Standard 39).
fn is_sign_on(c: char, letter: char) -> bool {
    let scripts = ScriptWithExtensions::new();
    let script = scripts.get_script_val(letter);
    let european = [Script::Latin, Script::Greek, Script::Cyrillic].contains(&script);
    is_mark(c)
        && !european
        && scripts.has_script(c, script)
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_width_twin_compares_equal() {
        let plain = Username::parse("Alice").unwrap();
        let wide = Username::parse("ａｌｉｃｅ").unwrap();

        assert_eq!(plain.key(), wide.key());
        assert_eq!(wide.as_str(), "alice");
    }

    #[test]
    fn other_scripts_and_the_five_signs_are_taken() {
        for name in ["é名", "9lives", "a.b+c-d_e@f", "straße"] {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
        assert_eq!(NameKey::of("STRASSE"), NameKey::of("straße"));
    }

    #[test]
    fn words_are_taken_with_the_signs_of_their_script() {
        for name in [
            "हिन्दी",
            "ज़रूर",
            "বাংলা",
            "ভাষা_ক্ষ",
            "தமிழ்",
            "తెలుగు",
            "ಕನ್ನಡ",
            "മലയാളം",
            "ਪੰਜਾਬੀ",
            "සිංහල",
            "ไทย",
            "น้ำ",
            "ผู้ใช้1",
            "ພາສາລາວ",
            "မြန်မာ",
            "ភាសាខ្មែរ",
            "བོད",
            "مُحَمَّد",
            "שָׁלוֹם",
            "ދިވެހި",
            "ば",
        ] {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
        assert_eq!(NameKey::of("ज\u{93c}"), NameKey::of("\u{95b}"));
    }

    /// Unicode Technical Standard 39: names that look alike are not made by marks.
    #[test]
    fn signs_that_are_invisible_doubled_or_of_another_script_are_refused() {
        for name in [
            "\u{94d}",
            "i\u{307}",
            "x\u{301}",
            "а\u{335}",
            "a\u{94d}",
            "1\u{e48}",
            "ก\u{e48}\u{e48}",
            "क\u{94d}\u{94d}",
            "क\u{200d}",
            "می\u{200c}خ",
            "a\u{200b}",
            "क\u{fe00}",
            "ក\u{17b4}",
            "a\u{20dd}",
            "ไ\u{94d}",
        ] {
            assert_eq!(
                Username::parse(name),
                Err(UsernameError::Invalid),
                "{}",
                name.escape_unicode()
            );
        }
    }

    #[test]
    fn other_characters_are_refused() {
        for name in [
            "a b", "a/b", "a!", "a<b", "a'b", "a;b", "😀", "a\tb", "", "  ", "a\u{0}b",
        ] {
            assert_eq!(
                Username::parse(name),
                Err(UsernameError::Invalid),
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_limit_is_150_characters_also_after_normalising() {
        assert!(Username::parse(&"x".repeat(150)).is_ok());
        assert_eq!(
            Username::parse(&"x".repeat(151)),
            Err(UsernameError::TooLong)
        );
        assert_eq!(
            Username::parse(&"ﬃ".repeat(60)),
            Err(UsernameError::TooLong)
        );
    }
}
