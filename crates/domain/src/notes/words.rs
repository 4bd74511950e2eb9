//! A note's text as search sees it: its words, folded.
//!
//! How a text is split into folded words is described in the module `folding`. Every note carries the [`FOLDING`] by which
//! its words were made; `refold` makes those of older ones again.
//!
//! Folding a long content takes milliseconds. Use cases fold when they are made, before they wait for the one writer,
//! and what does not change is not folded again.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Draft;
use super::folding::{self, Purpose, each_word};

/// The number of the rules by which words and tags are folded. Whoever changes them raises it, with a migration that
/// makes the index of outdated notes anew (`notes_to_refold`).
pub const FOLDING: i64 = 1;

/// Between the words of the title and those of the content.
const BREAK: char = '\n';

/// A title as search and the order by title see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TitleWords {
    /// Each of its words once, a space before and after each.
    pub words: String,
    /// What it is ordered by; see [`title_key`].
    pub key: String,
}

/// A note's texts as search and the order by title see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteWords {
    /// The title.
    pub title: TitleWords,
    /// Each word of the content once, a space before and after each.
    pub content: String,
}

impl NoteWords {
    /// As a change of both.
    #[must_use]
    pub fn both(&self) -> ChangedWords<'_> {
        ChangedWords {
            title: Some(&self.title),
            content: Some(&self.content),
        }
    }

    /// What search looks at: the words of the title, a line break, those of the content.
    #[must_use]
    pub fn searched(&self) -> String {
        let Self { title, content } = self;
        let mut words = String::with_capacity(title.words.len() + content.len() + 1);
        words.push_str(&title.words);
        words.push(BREAK);
        words.push_str(content);
        words
    }
}

/// The same of what of a note is changed; `None` stays as it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangedWords<'a> {
    /// The title.
    pub title: Option<&'a TitleWords>,
    /// The words of the content.
    pub content: Option<&'a str>,
}

/// The most characters of a snippet, with room for the dots at its ends.
const SNIPPET_LENGTH: usize = 240;

/// How many characters of a snippet stand before the word that was found.
const LEAD: usize = 60;

/// A text without case and accents, for comparing.
#[must_use]
pub fn folded(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        let bare = text.nfkd().filter(|c| !is_combining_mark(*c));
        return Cow::Owned(bare.default_case_fold().collect());
    }
    // Has no marks, and folds as it is lowered.
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Borrowed(text)
}

/// The most characters of what a title is ordered by. Folding makes some texts many times longer, and a place in a list
/// must fit into a link.
const KEY_LENGTH: usize = 600;

/// What a title is ordered by.
#[must_use]
pub fn title_key(title: &str) -> String {
    let mut key = folded(title).into_owned();
    if let Some((end, _)) = key.char_indices().nth(KEY_LENGTH) {
        key.truncate(end);
    }
    key
}

/// The most words of a search that count: each is looked for in every note.
const SEARCH_WORDS: usize = 20;

/// The words of a search: a note is found if each of them is the beginning of one of its words, or in scripts
/// without spaces a part of a run. From the twenty-first on they don't count.
#[must_use]
pub fn of_search(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let _ = each_word(text, Purpose::Search, |word| {
        if !words.iter().any(|known| known == word.text) {
            words.push(word.text.to_owned());
        }
        match words.len() {
            SEARCH_WORDS => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    words
}

/// What a note's words contain, as they are stored, if they have this word of a search.
#[must_use]
pub fn pattern(searched: &str) -> String {
    folding::pattern(searched)
}

/// A note's texts, folded.
#[must_use]
pub fn of_note(draft: &Draft) -> NoteWords {
    NoteWords {
        title: of_title(&draft.title),
        content: of_content(&draft.content),
    }
}

/// A title, folded.
#[must_use]
pub fn of_title(title: &str) -> TitleWords {
    TitleWords {
        words: each_once(title),
        key: title_key(title),
    }
}

/// A content's words, folded.
#[must_use]
pub fn of_content(content: &str) -> String {
    each_once(content)
}

/// Each word of a text once; a space before and after each.
fn each_once(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 2);
    words.push(' ');
    let mut seen = HashSet::new();
    let _ = each_word(text, Purpose::Index, |word| {
        if !seen.contains(word.text) {
            words.push_str(word.text);
            words.push(' ');
            seen.insert(word.text.to_owned());
        }
        ControlFlow::Continue(())
    });
    words
}

/// How many words of all contents are looked through for snippets. Folding each again would take a second for a page of
/// the longest notes.
const LOOKED_THROUGH: usize = 200_000;

/// Cuts the snippets of a page of notes that were searched for.
#[derive(Debug)]
pub struct Snippets<'a> {
    search: &'a [String],
    /// Words that may still be looked through.
    left: usize,
}

impl<'a> Snippets<'a> {
    /// For the words of a search.
    #[must_use]
    pub fn of(search: &'a [String]) -> Self {
        Self {
            search,
            left: LOOKED_THROUGH,
        }
    }

    /// A piece of the content around the first word that was searched for; its beginning, if only the title has any, or
    /// the notes before it were so long that it is not looked for any more.
    pub fn cut(&mut self, content: &str) -> String {
        let at = self.find(content).unwrap_or(0);
        let lead = content[..at].chars().rev().take(LEAD).collect::<Vec<_>>();
        let from = at - lead.iter().map(|c| c.len_utf8()).sum::<usize>();
        let piece: String = content[from..].chars().take(SNIPPET_LENGTH).collect();
        let cut_before = if from > 0 { "…" } else { "" };
        let cut_after = if from + piece.len() < content.len() {
            "…"
        } else {
            ""
        };
        format!("{cut_before}{}{cut_after}", piece.trim())
    }

    /// Where the first word is that was searched for. Runs mostly stand in a content as they are searched for: then
    /// nothing has to be folded, which takes longer than the search itself for a page of notes.
    fn find(&mut self, content: &str) -> Option<usize> {
        let mut found = (self
            .search
            .iter()
            .filter(|searched| folding::is_run(searched)))
        .filter_map(|searched| content.find(searched.as_str()))
        .min();
        if found.is_some() {
            return found;
        }
        let _ = each_word(content, Purpose::Index, |word| {
            if self.left == 0 {
                return ControlFlow::Break(());
            }
            self.left -= 1;
            found = self.search.iter().find_map(|searched| word.find(searched));
            match found {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        });
        found
    }
}

#[cfg(test)]
mod scripts;
#[cfg(test)]
mod tests {
    use super::super::CONTENT_LENGTH;
    use super::super::folding::{RUNS_LENGTH, WORD_LENGTH};
    use super::*;

    fn note(title: &str, content: &str) -> String {
        of_note(&Draft {
            title: title.to_owned(),
            content: content.to_owned(),
            ..Draft::default()
        })
        .searched()
    }

    fn snippet(content: &str, search: &str) -> String {
        Snippets::of(&of_search(search)).cut(content)
    }

    #[test]
    fn each_word_stands_once_without_case_and_accents() {
        assert_eq!(
            note("Crème Brûlée", "Straße, STRASSE; naïve! 3.5 e\u{301}té"),
            " creme brulee \n strasse naive 3 5 ete "
        );
    }

    #[test]
    fn a_text_of_plain_letters_is_folded_as_one_with_others_is() {
        let plain: String = (0..128).map(char::from).collect();

        let with_another = format!("{plain}é");

        assert_eq!(
            format!("{}e", folded(&plain)),
            folded(&with_another).into_owned()
        );
    }

    #[test]
    fn an_empty_title_leaves_its_place() {
        assert_eq!(note("", "two words"), " \n two words ");
        assert_eq!(note("two words", ""), " two words \n ");
    }

    #[test]
    fn other_scripts_are_folded_as_well() {
        assert_eq!(
            of_search("ΑΘΉΝΑ Ёлка ﬁne ＡＢＣ"),
            ["αθηνα", "елка", "fine", "abc"]
        );
    }

    #[test]
    fn a_script_without_spaces_is_searched_run_by_run() {
        assert_eq!(of_search("東京タワー 塔a"), ["東京タワー", "塔", "a"]);
        assert_eq!(note("", "東京。ภาษา 東京"), " \n 東京 ภาษา ");
    }

    #[test]
    fn what_an_apostrophe_or_a_hyphen_joins_is_found_in_parts_and_as_one() {
        assert_eq!(
            note("L’école", "e-mail"),
            " l ecole lecole \n e mail email "
        );
        assert_eq!(of_search("l'école e-mail"), ["l", "ecole", "e", "mail"]);
    }

    #[test]
    fn what_has_no_words_searches_for_nothing() {
        assert!(of_search(" -- \"* !").is_empty());
    }

    #[test]
    fn words_and_searches_are_no_longer_than_a_word_may_be() {
        let length = |text: &str| of_content(text).chars().count();

        for endless in ["a", "क\u{93f}", "가"] {
            let stored = of_content(&(endless.repeat(CONTENT_LENGTH / 3) + " end"));

            assert_eq!(stored.chars().count(), WORD_LENGTH + "  end ".len());
            let searched = of_search(&endless.repeat(100));
            assert!(stored.contains(&format!(" {} ", searched[0])), "{endless}");
        }
        // One sign that folds into four words, parts without end, and marks without end on one letter.
        assert_eq!(length(&"\u{fdfa}".repeat(CONTENT_LENGTH)), 28);
        let parts = (0..50_000)
            .map(|n| format!("{n:05}-"))
            .collect::<Vec<_>>()
            .concat();
        assert_eq!(length(&parts), 1 + 50_000 * 6 + WORD_LENGTH + 1);
        for run in ["㌖", "ก\u{e49}"] {
            assert_eq!(length(&run.repeat(CONTENT_LENGTH)), RUNS_LENGTH + 2);
        }
    }

    #[test]
    fn a_search_has_no_more_words_than_the_first_so_many() {
        let words: Vec<_> = (0..200).map(|n| format!("w{n}")).collect();

        let searched = of_search(&words.join(" "));

        assert_eq!(searched, words[..SEARCH_WORDS]);
    }

    #[test]
    fn snippets_are_not_looked_for_beyond_so_many_words_of_all_notes() {
        let search = of_search("needle");
        let mut snippets = Snippets::of(&search);
        let long = format!("{}needle", "x ".repeat(LOOKED_THROUGH / 2 - 2));

        let found = [(); 2].map(|()| snippets.cut(&long).ends_with("needle"));

        assert_eq!(found, [true, true]);
        assert_eq!(snippets.cut("x needle in sight"), "x needle in sight");
        assert!(snippets.cut(&long).starts_with("x x"));
    }

    #[test]
    fn a_snippet_is_cut_around_what_was_found() {
        let content = format!("{}the Résumé of it{}", "x ".repeat(200), " y".repeat(300));

        let snippet = snippet(&content, "resu");

        assert!(
            snippet.starts_with('…') && snippet.ends_with('…'),
            "{snippet}"
        );
        assert!(snippet.contains("the Résumé of it"), "{snippet}");
        assert!(snippet.chars().count() < 600);
    }

    #[test]
    fn a_snippet_is_cut_around_what_was_found_within_a_run() {
        let content = format!("{}กินข้าวเช้า{}", "ก".repeat(1000), "น".repeat(1000));

        let snippet = snippet(&content, "ข้าว");

        assert!(snippet.contains("กินข้าวเช้า"), "{snippet}");
    }

    #[test]
    fn a_short_content_is_its_own_snippet() {
        assert_eq!(snippet("all of it", "it"), "all of it");
        assert_eq!(snippet("all of it", "title"), "all of it");
    }
}
