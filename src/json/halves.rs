//! Replaces lone surrogates in a JSON document, so that the parser can read it.

/// The replacement character (U+FFFD) as an escape of the same length, so that positions in parser
/// errors stay correct.
const REPLACEMENT: &[u8] = br"\ufffd";

/// A document with replaced lone surrogates.
pub(super) struct Halves {
    /// The document.
    pub json: Vec<u8>,
    /// The texts that had lone surrogates, by index from 0, including member names; each with its
    /// first one.
    pub found: Vec<(usize, u16)>,
}

impl Halves {
    /// Replaces all lone surrogates, if there are any. Invalid JSON stays invalid.
    pub fn replaced(json: &[u8]) -> Option<Self> {
        let mut halves = Self {
            json: json.to_vec(),
            found: Vec::new(),
        };
        let (mut text, mut inside, mut at) = (0, false, 0);
        while let Some(&byte) = json.get(at) {
            match byte {
                b'"' => {
                    text += usize::from(inside);
                    inside = !inside;
                    at += 1;
                }
                b'\\' if inside => at += halves.escape(json, at, text),
                _ => at += 1,
            }
        }
        (!halves.found.is_empty()).then_some(halves)
    }

    /// Examines the escape at a position. Returns its length, including the second half of a pair.
    fn escape(&mut self, json: &[u8], at: usize, text: usize) -> usize {
        match unit(json, at) {
            Some(0xd800..0xdc00) if matches!(unit(json, at + 6), Some(0xdc00..0xe000)) => 12,
            Some(half @ 0xd800..0xe000) => {
                self.json[at..at + 6].copy_from_slice(REPLACEMENT);
                if self.found.last().is_none_or(|(last, _)| *last < text) {
                    self.found.push((text, half));
                }
                6
            }
            Some(_) => 6,
            None => 2,
        }
    }
}

/// The code unit of the `\u` escape at a position, if there is one.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}
