//! Comparing tags: by their letters, whatever the case and the normal form.

use std::collections::HashSet;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// A tag as it is compared: canonically composed, its case folded (Unicode Standard, section 3.13, definition D145).
#[must_use]
pub fn key(tag: &str) -> String {
    if tag.is_ascii() {
        return tag.to_ascii_lowercase();
    }
    tag.nfd().default_case_fold().nfc().collect()
}

/// The tags without those that compare equal to an earlier one.
#[must_use]
pub fn distinct(tags: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    tags.into_iter()
        .filter(|tag| seen.insert(key(tag)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_compare_by_letters_whatever_the_case_and_the_normal_form() {
        for (one, other) in [
            ("Café", "cafe\u{301}"),
            ("ÉTÉ", "e\u{301}te\u{301}"),
            ("Straße", "STRASSE"),
            ("ΟΔΌΣ", "οδός"),
            ("\u{1100}\u{1161}", "가"),
            ("Work", "wORK"),
            ("\u{212a}g", "kg"),
            ("ἈΙ", "ᾈ"),
        ] {
            assert_eq!(key(one), key(other), "{one}");
        }
        for (one, other) in [("cafe", "café"), ("work ", "work"), ("ﬁ", "1")] {
            assert_ne!(key(one), key(other), "{one}");
        }
    }

    #[test]
    fn of_tags_that_compare_equal_the_first_stays() {
        let tags = ["Café", "work", "Cafe\u{301}", "CAFÉ", "Work", "x"].map(str::to_owned);

        assert_eq!(distinct(tags.into()), ["Café", "work", "x"]);
    }
}
