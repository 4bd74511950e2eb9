//! Normalises codes as users type and paste them. Called before a code is compared, and before its
//! length is checked.

use std::fmt;

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use unicode_normalization::UnicodeNormalization;

use super::LONG_LENGTH;

/// A code without what keyboards and mail programs add to it: spaces of every kind, dashes, and invisible marks such as
/// those of writing direction; with every decimal digit as an ASCII one, whatever its script or width.
///
/// Whether a code is right does not change by that: codes are ASCII, and other characters stay as they are.
///
/// ```
/// use domain::otp::cleaned;
///
/// assert_eq!(cleaned(" 123\u{a0}456"), "123456");
/// assert_eq!(cleaned("\u{202a}۱۲۳-۴۵۶\u{202c}"), "123456");
/// ```
#[must_use]
pub fn cleaned(typed: &str) -> String {
    kept(typed).collect()
}

/// The characters that [`cleaned`] keeps.
fn kept(typed: &str) -> impl Iterator<Item = char> {
    typed
        .nfkc()
        .filter(|c| !is_filler(*c))
        .map(|c| ascii_digit(c).unwrap_or(c))
}

/// A code as somebody typed it, read once, before anything is compared with it: in any spelling ([`cleaned`]), in capitals
/// or not, and with the letters that Crockford's base 32 reads as 0 and 1. Of a text that is longer than any code only
/// so much is kept that it is none.
#[derive(Clone)]
pub struct TypedCode(String);

impl TypedCode {
    /// Reads a text.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        let read = kept(typed).map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            upper => upper,
        });
        Self(read.take(LONG_LENGTH + 1).collect())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedCode(…)")
    }
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_filler(c: char) -> bool {
    const MINUS: char = '\u{2212}';
    c == MINUS
        || c.is_whitespace()
        || matches!(
            category(c),
            GeneralCategory::DashPunctuation | GeneralCategory::Format
        )
}

/// The ASCII digit of the same value. Decimal digits stand in rows from 0 to 9 (Unicode Standard, section 4.6); rows that
/// touch make one of 20 or more.
fn ascii_digit(c: char) -> Option<char> {
    let is_digit = |c| category(c) == GeneralCategory::DecimalNumber;
    if c.is_ascii() || !is_digit(c) {
        return None;
    }
    let before = (1..)
        .map_while(|n| char::from_u32(u32::from(c) - n))
        .take_while(|c| is_digit(*c))
        .count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_dashes_and_invisible_marks_are_left_out() {
        for typed in [
            "123456",
            " 123456\n",
            "123 456",
            "1 2 3 4 5 6",
            "123\u{a0}456",
            "123\u{202f}456",
            "123\u{3000}456",
            "123-456",
            "123\u{2010}456",
            "123\u{2011}456",
            "123\u{2013}456",
            "123 \u{2014} 456",
            "123\u{2212}456",
            "123\u{ad}456",
            "123\u{ff0d}456",
            "\u{202a}123456\u{202c}",
            "\u{2066}123456\u{2069}",
            "\u{200f}123456\u{200e}",
            "\u{61c}123456",
            "\u{200b}123456",
            "\u{feff}123\u{2060}456",
            "123\u{200c}456",
        ] {
            assert_eq!(cleaned(typed), "123456", "{typed:?}");
        }
    }

    #[test]
    fn every_decimal_digit_of_unicode_is_the_one_of_its_value() {
        let mut digits = (0..=u32::from(char::MAX))
            .filter_map(char::from_u32)
            .filter(|c| category(*c) == GeneralCategory::DecimalNumber)
            .map(|c| cleaned(&c.to_string()))
            .peekable();

        assert!(digits.peek().is_some());
        for digit in (0..=9).cycle() {
            let Some(read) = digits.next() else {
                return assert_eq!(digit, 0);
            };
            assert_eq!(read, digit.to_string());
        }
    }

    /// What is compared costs no more for a long text than for a code: comparing is done while others wait.
    #[test]
    fn a_long_text_is_cut_to_what_is_no_code() {
        for long in ["1", "\u{fdfa}", "1 ", "\u{301}"] {
            let typed = TypedCode::new(&long.repeat(100_000));

            assert_eq!(typed.0.chars().count(), LONG_LENGTH + 1, "{long:?}");
        }
        assert_eq!(TypedCode::new(&" -".repeat(100_000)).0, "");
    }

    #[test]
    fn what_is_no_part_of_a_code_stays() {
        for typed in ["12345x", "guess!", "1234567", "12.34.56", "Ⅳ", "é"] {
            assert_eq!(cleaned(typed), typed.nfkc().collect::<String>());
        }
        assert_eq!(cleaned("\u{200b}- "), "");
    }
}
