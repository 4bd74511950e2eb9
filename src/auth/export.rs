//! `export/`: everything held about the user, as one document.
//!
//! It may be long and its client slow, so it is read and sent piece by piece. Between two pieces nothing is held but the
//! place to go on from, least of all a connection to the database, of which there are few. A failure on the way breaks
//! the connection off: what came is then no complete document to any client, nor a complete answer.

use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::audit::Recorded;
use domain::id::UserId;
use domain::notes::changes::Change;
use domain::notes::list::Place;
use domain::payments::{PaymentPlace, PaymentRecord};
use domain::store::{StoreError, Ticket, View};
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::me::Profile;
use super::session::Authenticated;
use super::sessions::{self, SessionEntry};
use crate::AppState;
use crate::error::ApiError;
use crate::notes::{self, NoteBody};
use crate::request::ReadTicket;
use crate::route::{Routes, protected};
use crate::subscription::{self, Subscription};

pub(super) fn router() -> Routes {
    protected(Routes::new(), routes!(export))
}

/// Everything held about the user: no token, no hash, no code.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Export {
    /// When this was put together.
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// Who one is.
    profile: Profile,
    /// What one may use, and does.
    subscription: Subscription,
    /// The sessions that have not ended.
    sessions: Vec<SessionEntry>,
    /// The notes, those in the trash last. One that changes while this is read may stand there as it was and as it is.
    notes: Vec<NoteBody>,
    /// What happened to the account, newest first, as far back as it is kept.
    security_events: Vec<SecurityEvent>,
    /// What payment services told about the user, by service, then in the order in which it came.
    payment_events: Vec<PaymentEvent>,
}

/// Something that happened to the account.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecurityEvent {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What, as a stable word.
    event: String,
    /// The network address it came from.
    ip: Option<String>,
    /// What the client called itself.
    user_agent: Option<String>,
}

impl From<Recorded> for SecurityEvent {
    fn from(event: Recorded) -> Self {
        Self {
            at: event.at,
            event: event.event,
            ip: event.client,
            user_agent: event.user_agent,
        }
    }
}

/// What a payment service told.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PaymentEvent {
    /// Which service: `stripe` or `revenuecat`.
    source: String,
    /// The service's name for the event.
    id: String,
    /// What the service calls this kind of event.
    r#type: String,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// When it was made, by the service's clock.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    made_at: Option<Timestamp>,
    /// What came of it when it was received, in words.
    effect: String,
    /// The event as it came, which is JSON in a text; empty if it is not kept.
    body: String,
}

impl From<PaymentRecord> for PaymentEvent {
    fn from(event: PaymentRecord) -> Self {
        Self {
            source: event.place.source,
            id: event.id,
            r#type: event.kind,
            received_at: event.received,
            made_at: event.made,
            effect: event.did,
            body: event.body,
        }
    }
}

/// The most events in one document, and those that are read at once.
const MOST_EVENTS: u32 = 10_000;
const EVENTS_AT_ONCE: u32 = 200;

/// Changes that are read at once.
const CHANGES_AT_ONCE: u32 = 20;

/// Payment events that are read at once: each may have as many bytes as a body.
const PAYMENTS_AT_ONCE: u32 = 10;

/// How the document ends without any notes and events, and what stands between the lists.
const EMPTY_END: &[u8] = br#"],"security_events":[],"payment_events":[]}"#;
const BEFORE_EVENTS: &[u8] = br#"],"security_events":["#;
const BEFORE_PAYMENTS: &[u8] = br#"],"payment_events":["#;
const END: &[u8] = b"]}";

/// Export everything
///
/// Everything held about the user, as one document. It is sent piece by piece: if the connection ends before the
/// document does, something failed, and the client tries again.
#[utoipa::path(
    get,
    path = "/api/auth/export/",
    operation_id = "exportAccount",
    tag = "Account",
    responses((status = 200, description = "The document.", body = Export)),
)]
async fn export(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    ReadTicket(ticket): ReadTicket,
) -> Result<Response, ApiError> {
    let user = session.user.id;
    let mut view = state.store.view_by(&ticket).await?;
    let began = view.note_changes(user, i64::MAX, 1).await?.newest;
    view.done();
    let standing = subscription::standing(&state, &ticket, user).await?;
    let frame = Export {
        exported_at: state.clock.now(),
        sessions: sessions::live(&state, &ticket, &session).await?,
        profile: Profile::new(session.user, standing.plan),
        subscription: Subscription::new(standing, state.rules.notes),
        notes: Vec::new(),
        security_events: Vec::new(),
        payment_events: Vec::new(),
    };
    let mut head = written(&frame);
    head.truncate(head.len() - EMPTY_END.len());
    let rest = Rest {
        state,
        ticket,
        user,
        began,
        part: Part::Head(head),
        any: false,
    };
    let document = Body::from_stream(stream::try_unfold(rest, Rest::piece));
    Ok(([(header::CONTENT_TYPE, "application/json")], document).into_response())
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is exported is plain data")
}

/// What of a document is still to be sent.
struct Rest {
    state: AppState,
    /// The request is in flight until all is sent.
    ticket: Ticket,
    user: UserId,
    /// The newest change of a note when the document was begun.
    began: i64,
    part: Part,
    /// Whether the list that is being written has an item already.
    any: bool,
}

/// A part of the document, with the place to go on from.
enum Part {
    /// All before the notes.
    Head(Vec<u8>),
    /// Live notes, or those in the trash.
    Notes { trashed: bool, place: Option<Place> },
    /// Notes that were changed meanwhile, up to a change: one that came back from the trash was in neither list.
    Changed { after: i64, upto: Option<i64> },
    /// What happened, with how much of it may still be told.
    Events {
        before: Option<(Timestamp, i64)>,
        left: u32,
    },
    /// What payment services told.
    Payments { after: Option<PaymentPlace> },
    /// Nothing.
    Nothing,
}

impl Rest {
    /// The next piece, if there is one. A failure is told here, since the answer has begun.
    async fn piece(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let part = std::mem::replace(&mut self.part, Part::Nothing);
        let piece = match part {
            Part::Head(head) => {
                self.part = Part::Notes {
                    trashed: false,
                    place: None,
                };
                Ok(head)
            }
            Part::Notes { trashed, place } => self.notes(trashed, place).await,
            Part::Changed { after, upto } => self.changed(after, upto).await,
            Part::Events { before, left } => self.events(before, left).await,
            Part::Payments { after } => self.payments(after).await,
            Part::Nothing => return Ok(None),
        };
        match piece {
            Ok(piece) => Ok(Some((piece.into(), self))),
            Err(error) => {
                tracing::error!(%error, user.id = self.user.0, "an export was broken off");
                Err(error)
            }
        }
    }

    /// A connection for one piece, which has a time of its own.
    async fn view(&mut self) -> Result<Box<dyn View>, StoreError> {
        self.ticket.deadline = Instant::now() + self.state.write_within;
        self.state.store.view_by(&self.ticket).await
    }

    async fn notes(&mut self, trashed: bool, place: Option<Place>) -> Result<Vec<u8>, StoreError> {
        let mut view = self.view().await?;
        let (notes, next) = notes::some_of_all(view.as_mut(), self.user, trashed, place).await?;
        view.done();
        self.part = match next {
            Some(next) => Part::Notes {
                trashed,
                place: Some(next),
            },
            None if trashed => Part::Changed {
                after: self.began,
                upto: None,
            },
            None => Part::Notes {
                trashed: true,
                place: None,
            },
        };
        Ok(self.items(&notes))
    }

    async fn changed(&mut self, after: i64, upto: Option<i64>) -> Result<Vec<u8>, StoreError> {
        let mut view = self.view().await?;
        let page = view.note_changes(self.user, after, CHANGES_AT_ONCE).await?;
        view.done();
        let upto = upto.unwrap_or(page.newest);
        let is_over = !page.more || page.upto >= upto;
        let notes = page.changes.into_iter().filter_map(|change| match change {
            Change::Written(note) => Some(NoteBody::from(*note)),
            Change::Deleted { .. } => None,
        });
        let mut piece = self.items(&notes.collect::<Vec<_>>());
        if is_over {
            piece.extend_from_slice(BEFORE_EVENTS);
            self.any = false;
            self.part = Part::Events {
                before: None,
                left: MOST_EVENTS,
            };
        } else {
            self.part = Part::Changed {
                after: page.upto,
                upto: Some(upto),
            };
        }
        Ok(piece)
    }

    async fn events(
        &mut self,
        before: Option<(Timestamp, i64)>,
        left: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let limit = EVENTS_AT_ONCE.min(left);
        let mut view = self.view().await?;
        let events = view.records(self.user, before, limit).await?;
        view.done();
        let left = left - limit;
        let last = events.last().map(|last| (last.at, last.id));
        let is_over = events.len() < limit as usize || left == 0;
        let events: Vec<SecurityEvent> = events.into_iter().map(Into::into).collect();
        let mut piece = self.items(&events);
        if is_over {
            piece.extend_from_slice(BEFORE_PAYMENTS);
            self.any = false;
            self.part = Part::Payments { after: None };
        } else {
            self.part = Part::Events { before: last, left };
        }
        Ok(piece)
    }

    async fn payments(&mut self, after: Option<PaymentPlace>) -> Result<Vec<u8>, StoreError> {
        let mut view = self.view().await?;
        let records = view.payment_records(self.user, after.as_ref(), PAYMENTS_AT_ONCE);
        let records = records.await?;
        view.done();
        let last = records.last().map(|last| last.place.clone());
        let is_over = records.len() < PAYMENTS_AT_ONCE as usize;
        let events: Vec<PaymentEvent> = records.into_iter().map(Into::into).collect();
        let mut piece = self.items(&events);
        if is_over {
            piece.extend_from_slice(END);
        } else {
            self.part = Part::Payments { after: last };
        }
        Ok(piece)
    }

    /// Some items of a list, parted from those before.
    fn items(&mut self, items: &[impl Serialize]) -> Vec<u8> {
        let mut piece = Vec::new();
        for item in items {
            if self.any {
                piece.push(b',');
            }
            self.any = true;
            piece.extend(written(item));
        }
        piece
    }
}
