//! `/api/notes/`: one file for each use case of a client, and shared modules.
//!
//! | Room | What lives there |
//! |---|---|
//! | `create`, `item`, `list`, `snippets` | a new note, one note, many, and what a search finds |
//! | `changes`, `batch`, `edits` | what devices need that keep the notes themselves |
//! | `response`, `request` | a note as it is answered, and as it is sent |
//! | `restores` | devices that know more than a database that was restored from a backup |
//! | `conditions`, `cursor`, `query` | headers, cursors and the query as values |

mod batch;
mod changes;
mod conditions;
mod create;
mod cursor;
mod edits;
mod item;
mod links;
mod list;
mod query;
mod reading;
mod request;
mod response;
mod restores;
mod snippets;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use domain::notes::{NoteId, Refused};

use crate::error::ApiError;
use crate::fields::Form;
use crate::route::{Routes, protected};
pub use list::some_of_all;
pub use response::NoteBody;

use utoipa_axum::routes;

/// The routes of this folder.
#[must_use]
pub fn router() -> Routes {
    let routes = protected(Routes::new(), routes!(list::list, create::create));
    let routes = protected(routes, routes!(changes::changes));
    let routes = protected(routes, routes!(batch::batch));
    let routes = protected(
        routes,
        routes!(item::show, item::replace, item::change, item::remove),
    );
    protected(routes, routes!(item::restore))
}

/// The id in the path.
fn id_of(path: Result<Path<String>, PathRejection>) -> Result<NoteId, ApiError> {
    let Path(id) = path.map_err(|_| ApiError::NotFound)?;
    id.parse().map_err(|_| Form::wrong("id", request::NO_UUID))
}

/// The response to a refused write.
fn refused(why: Refused) -> ApiError {
    match why {
        Refused::NotFound => ApiError::NotFound,
        Refused::Taken => ApiError::NoteTaken,
        Refused::Blank => Form::wrong("content", request::BLANK),
        Refused::PlanLimit(full) => ApiError::PlanLimit(full),
        Refused::StorageLimit(full) => ApiError::StorageLimit(full),
        Refused::Mismatch(note) => {
            let note = note.map(|note| NoteBody::from(*note));
            ApiError::NoteChanged(note.and_then(|note| serde_json::to_value(note).ok()))
        }
    }
}
