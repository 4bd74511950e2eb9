//! `export/`: all data about the user, as one document.
//!
//! The document may be long and the client slow, so it is read and sent in pieces. Between two
//! pieces only the position is kept, in particular no database connection. On an error the
//! connection is closed, so that the client sees an incomplete response and an incomplete document.

mod document;

use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::email::EmailKey;
use domain::id::{MailId, UserId};
use domain::notes::changes::NoteChange;
use domain::notes::list::ListPosition;
use domain::payments::PaymentPosition;
use domain::queue::MailFilter;
use domain::store::{Reader, StoreError, Ticket};
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use utoipa_axum::routes;

use self::document::{Export, PaymentEvent, SecurityEvent, SentMail};
use super::me::Profile;
use super::session::Authenticated;
use super::sessions;
use crate::AppState;
use crate::error::ApiError;
use crate::notes::{self, NoteBody};
use crate::request::ReadTicket;
use crate::route::{Routes, protected};
use crate::subscription::{self, Subscription};

pub(super) fn router() -> Routes {
    protected(Routes::new(), routes!(export))
}

/// The maximum number of events in a document, and the number read at once.
const MOST_EVENTS: u32 = 10_000;
const EVENTS_AT_ONCE: u32 = 200;

/// The number of changes read at once.
const CHANGES_AT_ONCE: u32 = 20;

/// The number of payment events read at once; each may be as large as a request body.
const PAYMENTS_AT_ONCE: u32 = 10;

/// The number of mails read at once.
const MAILS_AT_ONCE: u32 = 200;

/// The text between the lists, and the end of a document without notes and events.
const EMPTY_END: &[u8] = br#"],"security_events":[],"payment_events":[],"mails":[]}"#;
const BEFORE_EVENTS: &[u8] = br#"],"security_events":["#;
const BEFORE_PAYMENTS: &[u8] = br#"],"payment_events":["#;
const BEFORE_MAILS: &[u8] = br#"],"mails":["#;
const END: &[u8] = b"]}";

/// Export all data
///
/// All data about the user, as one document. It is sent in pieces: if the connection ends before
/// the document, the export failed and the client should retry.
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
    let mut reader = state.store.reader_by(&ticket).await?;
    let began = reader.note_changes(user, i64::MAX, 1).await?.numbers.newest;
    let grants = reader.grants(user).await?;
    let known = reader.known_clients(user).await?;
    reader.done();
    let standing = subscription::standing(&state, &ticket, user).await?;
    let email = session.user.email_key.clone();
    let frame = Export {
        exported_at: state.clock.now(),
        sessions: sessions::live(&state, &ticket, &session).await?,
        profile: Profile::new(session.user, standing.plan),
        subscription: Subscription::new(standing, state.policies.notes),
        grants: grants.into_iter().map(Into::into).collect(),
        known_clients: known.into_iter().map(Into::into).collect(),
        notes: Vec::new(),
        security_events: Vec::new(),
        payment_events: Vec::new(),
        mails: Vec::new(),
    };
    let mut head = written(&frame);
    head.truncate(head.len() - EMPTY_END.len());
    let rest = Rest {
        state,
        ticket,
        user,
        email,
        began,
        part: Part::Head(head),
        any: false,
    };
    let document = Body::from_stream(stream::try_unfold(rest, Rest::piece));
    Ok(([(header::CONTENT_TYPE, "application/json")], document).into_response())
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("exported values are plain data")
}

/// The part of a document that is not sent yet.
struct Rest {
    state: AppState,
    /// The request counts as in flight until everything is sent.
    ticket: Ticket,
    user: UserId,
    email: EmailKey,
    /// The newest change of a note when the document was started.
    began: i64,
    part: Part,
    /// Whether the current list already has an item.
    any: bool,
}

/// A part of the document, with the position to continue from.
enum Part {
    /// Everything before the notes.
    Head(Vec<u8>),
    /// Live notes, or those in the trash.
    Notes {
        trashed: bool,
        place: Option<ListPosition>,
    },
    /// Notes that were changed during the export, up to a change: a note restored from the trash in
    /// between was in neither list.
    Changed { after: i64, upto: Option<i64> },
    /// Security events, with the number that may still be written.
    Events {
        before: Option<(Timestamp, i64)>,
        left: u32,
    },
    /// Payment events.
    Payments { after: Option<PaymentPosition> },
    /// Mails about the user.
    Mails { before: Option<MailId> },
    /// The end of the document.
    Nothing,
}

impl Rest {
    /// The next piece, if there is one. Errors are logged here, because the response has already
    /// started.
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
            Part::Mails { before } => self.mails(before).await,
            Part::Nothing => return Ok(None),
        };
        match piece {
            Ok(piece) => Ok(Some((piece.into(), self))),
            Err(error) => {
                tracing::error!(%error, user.id = self.user.0, "export aborted");
                Err(error)
            }
        }
    }

    /// A database connection for one piece, with its own deadline.
    async fn reader(&mut self) -> Result<Box<dyn Reader>, StoreError> {
        self.ticket.deadline = Instant::now() + self.state.write_within;
        self.state.store.reader_by(&self.ticket).await
    }

    async fn notes(
        &mut self,
        trashed: bool,
        place: Option<ListPosition>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut reader = self.reader().await?;
        let (notes, next) = notes::some_of_all(reader.as_mut(), self.user, trashed, place).await?;
        reader.done();
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
        let mut reader = self.reader().await?;
        let page = reader
            .note_changes(self.user, after, CHANGES_AT_ONCE)
            .await?;
        reader.done();
        let upto = upto.unwrap_or(page.numbers.newest);
        let is_over = !page.more || page.upto >= upto;
        let notes = page.changes.into_iter().filter_map(|change| match change {
            NoteChange::Written(note) => Some(NoteBody::from(*note)),
            NoteChange::Deleted { .. } => None,
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
        let mut reader = self.reader().await?;
        let events = reader.records(self.user, before, limit).await?;
        reader.done();
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

    async fn payments(&mut self, after: Option<PaymentPosition>) -> Result<Vec<u8>, StoreError> {
        let mut reader = self.reader().await?;
        let records = reader.payment_records(self.user, after.as_ref(), PAYMENTS_AT_ONCE);
        let records = records.await?;
        reader.done();
        let last = records.last().map(|last| last.place.clone());
        let is_over = records.len() < PAYMENTS_AT_ONCE as usize;
        let events: Vec<PaymentEvent> = records.into_iter().map(Into::into).collect();
        let mut piece = self.items(&events);
        if is_over {
            piece.extend_from_slice(BEFORE_MAILS);
            self.any = false;
            self.part = Part::Mails { before: None };
        } else {
            self.part = Part::Payments { after: last };
        }
        Ok(piece)
    }

    async fn mails(&mut self, before: Option<MailId>) -> Result<Vec<u8>, StoreError> {
        let filter = MailFilter {
            user: Some((self.user, self.email.clone())),
            before,
            limit: MAILS_AT_ONCE,
            ..MailFilter::default()
        };
        let mut reader = self.reader().await?;
        let mails = reader.mails(&filter).await?;
        reader.done();
        let last = mails.last().map(|last| last.id);
        let is_over = mails.len() < MAILS_AT_ONCE as usize;
        let mails: Vec<SentMail> = mails.into_iter().map(Into::into).collect();
        let mut piece = self.items(&mails);
        if is_over {
            piece.extend_from_slice(END);
        } else {
            self.part = Part::Mails { before: last };
        }
        Ok(piece)
    }

    /// Some items of a list, separated from the previous ones.
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
