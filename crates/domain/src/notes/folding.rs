//! Splitting a text into the words that search compares, each folded.
//!
//! A word is a run of letters, digits and their marks. Everything else separates words, in a note and in a query alike.
//!
//! - Compatibility forms are decomposed (NFKD, Unicode Standard Annex 15) and case is folded.
//! - Marks are dropped where they are accents or optional points: on Latin, Greek, Cyrillic, Arabic and Hebrew letters.
//!   In every other script a mark makes another letter and stays.
//! - A Latin letter without a decomposition (`ł`, `ø`, `æ`) becomes its ASCII spelling; a digit of any script becomes
//!   an ASCII digit.
//! - In scripts that are written without spaces between words, a whole run of letters is a word, and a search may begin
//!   at any of its letters.
//! - Parts around an apostrophe or a hyphen are words, and so is what they spell together: `e-mail` has `e`, `mail` and
//!   `email`.

use std::iter;
use std::mem;
use std::ops::ControlFlow;

use any_ascii::any_ascii_char;
use caseless::Caseless;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, LineBreak, Script};
use icu_properties::script::ScriptWithExtensions;
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

use super::CONTENT_LENGTH;

/// The most characters of a word that count, folded. Text in no language is one endless word at times.
pub(super) const WORD_LENGTH: usize = 64;

/// The most characters that count of all runs of a text in scripts without spaces, folded: some signs fold into seven.
pub(super) const RUNS_LENGTH: usize = CONTENT_LENGTH;

/// The zero-width space: where a line may break, between words of Khmer and Thai.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// Stretches an Arabic word for justification and has no meaning.
const TATWEEL: char = '\u{640}';

/// What words are split for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be found: every word by which a text should be found.
    Index,
    /// To search: no more words than are needed.
    Search,
}

/// A word of a text, folded.
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// The byte at which it begins in the text.
    at: usize,
    /// Of a run without spaces, where each letter begins in the run and in the text.
    letters: &'a [(usize, usize)],
}

impl Word<'_> {
    /// The byte of the text at which the word, or its part that is found, begins.
    pub(super) fn find(&self, searched: &str) -> Option<usize> {
        if self.letters.is_empty() {
            return self.text.starts_with(searched).then_some(self.at);
        }
        let found = self.text.find(searched)?;
        let letter = self.letters.partition_point(|letter| letter.0 <= found);
        Some(self.letters[letter.saturating_sub(1)].1)
    }
}

/// What the words of a text contain, each with a space before and after it, if it has this word of a search.
pub(super) fn pattern(searched: &str) -> String {
    if is_run(searched) {
        searched.to_owned()
    } else {
        format!(" {searched}")
    }
}

/// Whether a word of a search belongs to a script without spaces, and so is found anywhere in a run.
pub(super) fn is_run(searched: &str) -> bool {
    matches!(searched.chars().next().map(role), Some(Role::Unspaced))
}

/// Calls `emit` with each word of the text, until it breaks.
pub(super) fn each_word(
    text: &str,
    purpose: Purpose,
    emit: impl FnMut(&Word) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut splitter = Splitter::new(purpose, emit);
    if text.is_ascii() {
        for (at, byte) in text.bytes().enumerate() {
            splitter.feed(at, byte.to_ascii_lowercase().into())?;
        }
    } else {
        for (at, cluster) in text.grapheme_indices(true) {
            for c in cluster.nfkd() {
                splitter.decomposed(at, c)?;
            }
        }
    }
    splitter.end()
}

/// What a folded character does in a text.
#[derive(Clone, Copy)]
enum Role {
    /// A letter or digit of a script with spaces between words.
    Spaced,
    /// A letter of a script without.
    Unspaced,
    Mark,
    /// Between two parts of a word: an apostrophe or a hyphen.
    Joint,
    Ignored,
    Separator,
}

fn role(c: char) -> Role {
    match c {
        '0'..='9' | 'a'..='z' | 'A'..='Z' => Role::Spaced,
        '\'' | '-' | '"' => Role::Joint,
        _ if c.is_ascii() => Role::Separator,
        // Apostrophes, hyphens, the Catalan dot between letters, and the Hebrew signs that serve as such.
        '‘' | '’' | '·' | '‧' | '‛' | 'ʻ' | 'ʼ' | 'ʾ' | 'ʿ' | '‐' | '־' | '׳' | '״' => {
            Role::Joint
        }
        TATWEEL => Role::Ignored,
        _ if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) => Role::Ignored,
        _ if is_combining_mark(c) => Role::Mark,
        _ if !c.is_alphanumeric() => Role::Separator,
        _ if is_unspaced(c) => Role::Unspaced,
        _ => Role::Spaced,
    }
}

/// Whether the letter's script has no spaces between words: Chinese, Japanese, and those whose words only a dictionary
/// tells apart (Thai, Lao, Khmer, Burmese; line breaking class SA of Unicode Standard Annex 14).
fn is_unspaced(c: char) -> bool {
    let scripts = ScriptWithExtensions::new();
    CodePointMapData::<LineBreak>::new().get(c) == LineBreak::ComplexContext
        || [
            Script::Han,
            Script::Hiragana,
            Script::Katakana,
            Script::Bopomofo,
        ]
        .into_iter()
        .any(|script| scripts.has_script(c, script))
}

/// Whether a mark on the letter makes another letter of it.
fn keeps_marks(letter: char) -> bool {
    !letter.is_ascii()
        && !matches!(
            CodePointMapData::<Script>::new().get(letter),
            Script::Latin
                | Script::Greek
                | Script::Cyrillic
                | Script::Arabic
                | Script::Hebrew
                | Script::Common
                | Script::Inherited
        )
}

/// The ASCII spelling of a Latin letter, or of a digit of any script.
fn in_ascii(c: char) -> Option<&'static str> {
    let is_digit =
        || CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::DecimalNumber;
    let is_latin = CodePointMapData::<Script>::new().get(c) == Script::Latin;
    (is_latin || is_digit())
        .then(|| any_ascii_char(c))
        .filter(|spelling| !spelling.is_empty())
}

/// Arabic letters that keyboards and habits exchange, as Lucene's normalizers of Arabic and Persian have them. The hamza
/// on alef, waw and yeh is a mark after decomposition.
fn alike(c: char) -> char {
    match c {
        'ٱ' => 'ا',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ة' | 'ہ' | 'ە' => 'ه',
        _ => c,
    }
}

/// Splits what it is fed into words.
struct Splitter<F> {
    purpose: Purpose,
    emit: F,
    /// The part of a word with spaces around it that is being read, where it begins, and its characters.
    part: String,
    part_at: usize,
    length: usize,
    /// The parts before it that an apostrophe or hyphen joins to it, where they begin, and how many they are.
    joined: String,
    joined_at: usize,
    parts: u32,
    /// The run that is being read of a script without spaces, where its letters begin, and how many characters may still
    /// follow in all runs.
    run: String,
    letters: Vec<(usize, usize)>,
    left: usize,
    /// Whether a mark on the last letter counts.
    keeps_marks: bool,
}

impl<F: FnMut(&Word) -> ControlFlow<()>> Splitter<F> {
    fn new(purpose: Purpose, emit: F) -> Self {
        Self {
            purpose,
            emit,
            part: String::new(),
            part_at: 0,
            length: 0,
            joined: String::new(),
            joined_at: 0,
            parts: 0,
            run: String::new(),
            letters: Vec::new(),
            left: RUNS_LENGTH,
            keeps_marks: false,
        }
    }

    /// Takes a character that is decomposed and not yet folded.
    fn decomposed(&mut self, at: usize, c: char) -> ControlFlow<()> {
        if c.is_ascii() {
            return self.feed(at, c.to_ascii_lowercase());
        }
        if is_combining_mark(c) {
            return self.feed(at, c);
        }
        for c in iter::once(c).default_case_fold() {
            match in_ascii(c) {
                Some(spelling) => {
                    for c in spelling.chars() {
                        self.feed(at, c.to_ascii_lowercase())?;
                    }
                }
                None => self.feed(at, alike(c))?,
            }
        }
        ControlFlow::Continue(())
    }

    fn feed(&mut self, at: usize, c: char) -> ControlFlow<()> {
        match role(c) {
            Role::Spaced => self.spaced(at, c),
            Role::Unspaced => self.unspaced(at, c),
            Role::Mark => {
                self.mark(c);
                ControlFlow::Continue(())
            }
            Role::Joint => self.joint(),
            // Within a script without spaces it says nothing that its writers agree on.
            Role::Ignored if c != ZERO_WIDTH_SPACE || self.part.is_empty() => {
                ControlFlow::Continue(())
            }
            Role::Ignored | Role::Separator => self.end(),
        }
    }

    fn spaced(&mut self, at: usize, c: char) -> ControlFlow<()> {
        self.end_unspaced()?;
        if self.part.is_empty() {
            self.part_at = at;
        }
        self.keeps_marks = keeps_marks(c);
        self.push(c);
        ControlFlow::Continue(())
    }

    fn push(&mut self, c: char) {
        if self.length < WORD_LENGTH {
            self.part.push(c);
            self.length += 1;
        }
    }

    fn mark(&mut self, c: char) {
        if !self.keeps_marks {
            return;
        }
        if self.letters.is_empty() {
            self.push(c);
        } else if self.left > 0 {
            self.run.push(c);
            self.left -= 1;
        }
    }

    fn unspaced(&mut self, at: usize, c: char) -> ControlFlow<()> {
        self.end_spaced()?;
        self.keeps_marks = keeps_marks(c);
        if self.left > 0 {
            self.letters.push((self.run.len(), at));
            self.run.push(c);
            self.left -= 1;
        }
        ControlFlow::Continue(())
    }

    fn end_unspaced(&mut self) -> ControlFlow<()> {
        let Some((_, at)) = self.letters.first().copied() else {
            return ControlFlow::Continue(());
        };
        let emitted = (self.emit)(&Word {
            text: &self.run,
            at,
            letters: &self.letters,
        });
        self.run.clear();
        self.letters.clear();
        emitted
    }

    fn joint(&mut self) -> ControlFlow<()> {
        if self.part.is_empty() {
            return self.end();
        }
        self.end_part()
    }

    fn end_part(&mut self) -> ControlFlow<()> {
        if self.parts == 0 {
            self.joined_at = self.part_at;
        }
        if self.purpose == Purpose::Index && self.joined.chars().count() < WORD_LENGTH {
            self.joined.push_str(&self.part);
        }
        self.parts += 1;
        self.length = 0;
        self.keeps_marks = false;
        let emitted = (self.emit)(&Word {
            text: &self.part,
            at: self.part_at,
            letters: &[],
        });
        self.part.clear();
        emitted
    }

    fn end_spaced(&mut self) -> ControlFlow<()> {
        if !self.part.is_empty() {
            self.end_part()?;
        }
        let parts = mem::take(&mut self.parts);
        if parts > 1 && self.purpose == Purpose::Index {
            let end = self.joined.char_indices().nth(WORD_LENGTH);
            self.joined
                .truncate(end.map_or(self.joined.len(), |(end, _)| end));
            (self.emit)(&Word {
                text: &self.joined,
                at: self.joined_at,
                letters: &[],
            })?;
        }
        self.joined.clear();
        ControlFlow::Continue(())
    }

    fn end(&mut self) -> ControlFlow<()> {
        self.keeps_marks = false;
        self.end_spaced()?;
        self.end_unspaced()
    }
}
