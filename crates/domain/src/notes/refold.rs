//! Folding notes again whose words and tags were folded by older rules, a few at a time.
//!
//! The worker does so in the background: it reads some, folds them beside the writer, and writes the result to those
//! that have not changed meanwhile. What is done is recorded in each note, so that it goes on after a restart, and
//! notes that an older program writes are folded again as well.

use async_trait::async_trait;

use super::port::{OutdatedNote, Refolded};
use super::{Draft, words};
use crate::store::{Store, StoreError, Tx, Write};

/// Some notes that are to be folded again; none, if all are folded by today's rules.
pub async fn outdated(store: &Store) -> Result<Vec<OutdatedNote>, StoreError> {
    let mut reader = store.reader().await?;
    let notes = reader.outdated_notes().await?;
    reader.done();
    Ok(notes)
}

/// Writes notes' words and tags as they are folded today.
#[derive(Debug)]
pub struct Refold(Vec<Refolded>);

impl Refold {
    /// Folds these, which takes milliseconds for a long note.
    #[must_use]
    pub fn new(notes: Vec<OutdatedNote>) -> Self {
        let refolded = notes.into_iter().map(|note| {
            let OutdatedNote {
                row,
                change,
                title,
                content,
                tags,
            } = note;
            let draft = Draft {
                title,
                content,
                ..Draft::default()
            };
            Refolded {
                row,
                change,
                words: words::of_note(&draft).searched(),
                tags,
            }
        });
        Self(refolded.collect())
    }
}

#[async_trait]
impl Write for Refold {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        for note in &self.0 {
            tx.refold_note(note).await?;
        }
        Ok(())
    }
}
