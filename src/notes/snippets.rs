//! Search results: each note with a snippet of its content.
//!
//! The snippet surrounds the first matching word. If only the title matches, the whole content is
//! searched: hundreds of thousands of words for a page of the longest notes. This runs outside the
//! runtime's threads, so that other requests do not wait.

use domain::notes::list::Listed;
use domain::notes::words::Snippets;

use super::response::NoteBody;
use crate::error::ApiError;
use crate::long::aside;

/// The notes of a page of search results, each with its snippet; `search` holds the folded words.
///
/// # Errors
///
/// [`ApiError::Panicked`] if the search for snippets panicked.
pub(super) async fn with_snippets(
    notes: Vec<Listed>,
    search: Vec<String>,
) -> Result<Vec<NoteBody>, ApiError> {
    let bytes: usize = notes.iter().map(|listed| content(listed).len()).sum();
    let cut = move || {
        let mut snippets = Snippets::of(&search);
        let cut = notes.into_iter().map(|listed| {
            let snippet = snippets.cut(content(&listed));
            NoteBody::from(listed.note).with_snippet(snippet)
        });
        cut.collect()
    };
    aside(bytes, cut).await
}

fn content(listed: &Listed) -> &str {
    &listed.note.draft.content
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use domain::notes::{CONTENT_LENGTH, Draft, Note, NoteId};
    use jiff::Timestamp;

    use super::*;

    fn listed(content: String) -> Listed {
        let draft = Draft {
            content,
            ..Draft::default()
        };
        let note = Note {
            id: NoteId::generate(),
            draft,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            version: 1,
            conflict_of: None,
            trashed: None,
        };
        Listed { note, rank: 0 }
    }

    /// Whether another task of the same thread had its turn meanwhile.
    async fn others_go_on_while_looking_through(notes: Vec<Listed>) -> bool {
        let went_on = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&went_on);
        let other = tokio::spawn(async move { other.store(true, Ordering::Relaxed) });

        let all = notes.len();
        let found = with_snippets(notes, vec!["nowhere".to_owned()]).await;

        let went_on = went_on.load(Ordering::Relaxed);
        other.await.unwrap();
        assert_eq!(found.unwrap().len(), all);
        went_on
    }

    #[tokio::test]
    async fn the_other_tasks_of_a_thread_do_not_wait_for_the_snippets_of_long_notes() {
        let long = || listed("mot élu ".repeat(CONTENT_LENGTH / 8));

        assert!(others_go_on_while_looking_through((0..20).map(|_| long()).collect()).await);
    }

    #[tokio::test]
    async fn for_short_notes_no_other_thread_is_asked() {
        let short = || listed("word ".repeat(50));

        assert!(!others_go_on_while_looking_through((0..100).map(|_| short()).collect()).await);
    }
}
