//! Server-sent events that keep the page in sync with the inbox.
//!
//! Separate from the page because any client may subscribe. The first event, `inbox`, holds all
//! mails, newest first, and how many are kept; then `mail`, `deleted` and `cleared` describe each
//! change. A subscriber that missed events gets `inbox` again.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Site;
use crate::inbox::{Event, Inbox};
use crate::mail::Mail;

/// A mail in the list of the page.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    received: String,
    from: &'a str,
    to: &'a [String],
    subject: &'a str,
    code: Option<String>,
    html: bool,
}

/// A subscriber, and whether its next event must be the whole inbox.
struct Reader {
    inbox: Inbox,
    changes: Receiver<Event>,
    behind: bool,
}

pub(super) async fn stream(
    State(site): State<Site>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let reader = Reader {
        changes: site.inbox.subscribe(),
        inbox: site.inbox,
        behind: true,
    };
    let events = stream::unfold(reader, async |mut reader| {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

impl Reader {
    async fn next(&mut self) -> Option<sse::Event> {
        if std::mem::take(&mut self.behind) {
            return Some(self.whole());
        }
        match self.changes.recv().await {
            Ok(Event::Mail(mail)) => Some(event("mail", &Line::of(&mail))),
            Ok(Event::Deleted(ids)) => Some(event("deleted", &json!({ "ids": ids }))),
            Ok(Event::Cleared) => Some(event("cleared", &json!({}))),
            Err(RecvError::Lagged(_)) => Some(self.whole()),
            Err(RecvError::Closed) => None,
        }
    }

    fn whole(&self) -> sse::Event {
        let mails = self.inbox.all();
        let lines: Vec<_> = mails.iter().rev().map(|mail| Line::of(mail)).collect();
        event(
            "inbox",
            &json!({ "mails": lines, "keep": self.inbox.keep() }),
        )
    }
}

impl<'a> Line<'a> {
    fn of(mail: &'a Mail) -> Self {
        Self {
            id: &mail.id,
            received: mail.received.to_string(),
            from: &mail.envelope_from,
            to: &mail.envelope_to,
            subject: mail.subject().unwrap_or_default(),
            code: mail.code(),
            html: mail.html().is_some(),
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> sse::Event {
    // JSON text holds no line break, so it is one data field. Strings always serialize.
    let data = serde_json::to_string(data).unwrap_or_default();
    sse::Event::default().event(name).data(data)
}
