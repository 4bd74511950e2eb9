//! Mailpit's JSON, field for field.
//!
//! Separate from the handlers because a test client depends on every name here. Only the checksums
//! of attachments are omitted.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::mail::Mail;
use crate::parsed::{Attachment, Mailbox};

/// The length of a summary's snippet, in characters.
const SNIPPET: usize = 250;

/// A page of a list of mails.
#[derive(Serialize)]
pub(super) struct Listing {
    total: usize,
    unread: usize,
    count: usize,
    messages_count: usize,
    messages_unread: usize,
    start: usize,
    tags: [String; 0],
    messages: Vec<Summary>,
}

/// A mail in a list.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    #[serde(flatten)]
    head: Head,
    read: bool,
    created: Timestamp,
    attachments: usize,
    snippet: String,
}

/// A mail with its content.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    #[serde(flatten)]
    head: Head,
    return_path: String,
    list_unsubscribe: ListUnsubscribe,
    date: Timestamp,
    text: String,
    #[serde(rename = "HTML")]
    html: String,
    inline: Vec<Attachment>,
    attachments: Vec<Attachment>,
}

/// The fields that a summary and a whole mail have in common.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Head {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "MessageID")]
    message_id: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    reply_to: Vec<Mailbox>,
    subject: String,
    username: String,
    tags: [String; 0],
    size: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListUnsubscribe {
    header: String,
    links: Vec<String>,
    errors: String,
    header_post: String,
}

impl Listing {
    /// A page of `found`, starting at `start`, with the totals of the inbox.
    pub(super) fn page(
        inbox: &[Arc<Mail>],
        found: &[Arc<Mail>],
        start: usize,
        limit: usize,
    ) -> Self {
        let page = found.iter().skip(start).take(limit);
        let messages: Vec<_> = page.map(|mail| Summary::of(mail)).collect();
        Self {
            total: inbox.len(),
            unread: unread(inbox),
            count: messages.len(),
            messages_count: found.len(),
            messages_unread: unread(found),
            start,
            tags: [],
            messages,
        }
    }
}

fn unread(mails: &[Arc<Mail>]) -> usize {
    mails.iter().filter(|mail| !mail.is_read()).count()
}

impl Summary {
    fn of(mail: &Mail) -> Self {
        let words: Vec<_> = mail.text().unwrap_or_default().split_whitespace().collect();
        Self {
            head: Head::of(mail),
            read: mail.is_read(),
            created: mail.received,
            attachments: mail.parsed().attachments.len(),
            snippet: words.join(" ").chars().take(SNIPPET).collect(),
        }
    }
}

impl Message {
    pub(super) fn of(mail: &Mail) -> Self {
        let (inline, attachments) = mail
            .parsed()
            .attachments
            .iter()
            .cloned()
            .partition(|part| part.inline);
        Self {
            head: Head::of(mail),
            return_path: mail.envelope_from.clone(),
            list_unsubscribe: ListUnsubscribe::of(mail),
            date: mail.parsed().date.unwrap_or(mail.received),
            text: mail.text().unwrap_or_default().to_owned(),
            html: mail.html().unwrap_or_default().to_owned(),
            inline,
            attachments,
        }
    }
}

impl Head {
    fn of(mail: &Mail) -> Self {
        let parsed = mail.parsed();
        let from = parsed.from.first().cloned();
        Self {
            id: mail.id.clone(),
            message_id: mail.message_id().unwrap_or_default().to_owned(),
            from: from.unwrap_or_else(|| unnamed(&mail.envelope_from)),
            to: parsed.to.clone(),
            cc: parsed.cc.clone(),
            bcc: blind_copies(mail),
            reply_to: parsed.reply_to.clone(),
            subject: mail.subject().unwrap_or_default().to_owned(),
            username: String::new(),
            tags: [],
            size: mail.raw.len(),
        }
    }
}

impl ListUnsubscribe {
    fn of(mail: &Mail) -> Self {
        let header = mail.header("List-Unsubscribe").unwrap_or_default();
        let links = header.split(',').filter_map(|link| {
            let link = link.trim().strip_prefix('<')?.strip_suffix('>')?;
            Some(link.to_owned())
        });
        Self {
            links: links.collect(),
            errors: String::new(),
            header_post: mail.header("List-Unsubscribe-Post").unwrap_or_default(),
            header,
        }
    }
}

/// Envelope recipients that no header names, as Mailpit lists them.
fn blind_copies(mail: &Mail) -> Vec<Mailbox> {
    let parsed = mail.parsed();
    let mut blind = parsed.bcc.clone();
    for address in &mail.envelope_to {
        let mut named = parsed.to.iter().chain(&parsed.cc).chain(&blind);
        if !named.any(|mailbox| mailbox.address.eq_ignore_ascii_case(address)) {
            blind.push(unnamed(address));
        }
    }
    blind
}

fn unnamed(address: &str) -> Mailbox {
    Mailbox {
        name: String::new(),
        address: address.to_owned(),
    }
}
