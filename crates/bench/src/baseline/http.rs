//! The least that a server of notes takes: bare axum handlers over a bare database.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use domain::notes::NoteId;
use domain::token::SecretHash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use super::database::{BareDatabase, BareNote};

#[derive(Serialize)]
struct Listed {
    id: String,
    title: String,
    content: String,
    tags: Box<RawValue>,
    is_pinned: bool,
    is_archived: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: i64,
}

#[derive(Deserialize)]
struct Sent {
    title: String,
    content: String,
}

/// Answers `GET /notes/` with the notes of the token's user, and `POST /notes/` with 201 once the note is durable. The
/// latter asks for no token and belongs to user 1.
pub async fn serve(listener: TcpListener, database: BareDatabase) -> std::io::Result<()> {
    let router = Router::new()
        .route("/notes/", get(list).post(create))
        .with_state(Arc::new(database));
    let undelayed = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "what is measured against is axum as it comes"
    )]
    axum::serve(undelayed, router).await
}

async fn list(
    State(database): State<Arc<BareDatabase>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Listed>>, StatusCode> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Token "))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    let now = Timestamp::now().as_microsecond();
    let notes = database
        .list(SecretHash::of(token).as_bytes(), now)
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?
        .ok_or(StatusCode::UNAUTHORIZED)?;
    notes
        .into_iter()
        .map(listed)
        .collect::<Option<_>>()
        .map(Json)
        .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn listed(note: BareNote) -> Option<Listed> {
    Some(Listed {
        id: note.id,
        title: note.title,
        content: note.content,
        tags: RawValue::from_string(note.tags).ok()?,
        is_pinned: note.pinned,
        is_archived: note.archived,
        created_at: Timestamp::from_microsecond(note.created).ok()?,
        updated_at: Timestamp::from_microsecond(note.updated).ok()?,
        version: note.version,
    })
}

async fn create(State(database): State<Arc<BareDatabase>>, Json(sent): Json<Sent>) -> StatusCode {
    let now = Timestamp::now().as_microsecond();
    let note = BareNote {
        id: NoteId::generate().to_string(),
        title: sent.title,
        content: sent.content,
        tags: "[]".to_owned(),
        created: now,
        updated: now,
        version: 1,
        ..BareNote::default()
    };
    if database.insert(1, note).await {
        StatusCode::CREATED
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}
