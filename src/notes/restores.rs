//! Detects a restore from a backup by devices that have newer numbers than the database.

use domain::id::UserId;
use domain::notes::NoteId;
use domain::notes::numbers::{JumpAhead, may_have_been_given};
use domain::store::StoreError;

use crate::AppState;
use crate::request::RequestContext;

/// Lets the numbers of a user jump who has a number that is ahead, unless they have for that one, or it is made up.
/// `certain`: whether it shows a restore beyond doubt.
pub(super) async fn noticed(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
    number: i64,
    certain: bool,
) -> Result<(), StoreError> {
    let now = state.clock.now();
    if !may_have_been_given(number, now) {
        return Ok(());
    }
    let jump = JumpAhead {
        user,
        number,
        certain,
        now,
    };
    if state.store.write_by(&context.ticket, jump).await? && certain {
        tracing::warn!(
            user.id = user.0,
            "a device has numbers that this database never gave: it was restored from a backup. The numbers of this \
             user's notes go on beyond them; `smart-notes after-restore` does so for all users"
        );
    }
    Ok(())
}

/// The same for the versions in the edits of a batch.
pub(super) async fn named(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
    named: impl Iterator<Item = (NoteId, i64)>,
) -> Result<(), StoreError> {
    let now = state.clock.now();
    let named: Vec<_> = named
        .filter(|(_, version)| *version > 0 && may_have_been_given(*version, now))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let mut reader = state.store.reader_by(&context.ticket).await?;
    let ahead = reader.note_version_ahead(user, &named).await?;
    reader.done();
    if let Some(ahead) = ahead {
        noticed(state, context, user, ahead.version, ahead.certain).await?;
    }
    Ok(())
}
