//! The content that `mail-parser` extracts from a mail, in owned form.
//!
//! Separate from [`crate::Mail`] so that the rest of the crate never sees the parser's borrowed
//! types. Built once for each mail, on first access.

use jiff::Timestamp;
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders};
use serde::Serialize;

/// A name and an address, as Mailpit's API spells them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Mailbox {
    pub name: String,
    pub address: String,
}

/// A part of a mail that is not its text.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attachment {
    #[serde(rename = "PartID")]
    pub part_id: String,
    pub file_name: String,
    pub content_type: String,
    #[serde(rename = "ContentID")]
    pub content_id: String,
    pub size: usize,
    #[serde(skip)]
    pub inline: bool,
}

/// The readable content of a mail; empty if the bytes are not a mail.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub subject: Option<String>,
    pub message_id: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    pub date: Option<Timestamp>,
    pub from: Vec<Mailbox>,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub bcc: Vec<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    pub attachments: Vec<Attachment>,
}

impl Parsed {
    pub(crate) fn read(raw: &[u8]) -> Self {
        MessageParser::default()
            .parse(raw)
            .map(|message| Self::from_message(&message))
            .unwrap_or_default()
    }

    fn from_message(message: &Message<'_>) -> Self {
        let html = message.html_bodies().find(|part| part.is_text_html());
        Self {
            subject: message.subject().map(str::to_owned),
            message_id: message.message_id().map(str::to_owned),
            text: message.body_text(0).map(std::borrow::Cow::into_owned),
            html: html.and_then(MessagePart::text_contents).map(str::to_owned),
            date: message
                .date()
                .and_then(|date| Timestamp::from_second(date.to_timestamp()).ok()),
            from: mailboxes(message.from()),
            to: mailboxes(message.to()),
            cc: mailboxes(message.cc()),
            bcc: mailboxes(message.bcc()),
            reply_to: mailboxes(message.reply_to()),
            attachments: message
                .attachments()
                .enumerate()
                .map(|(at, part)| attachment(at + 1, part))
                .collect(),
        }
    }
}

fn mailboxes(field: Option<&Address<'_>>) -> Vec<Mailbox> {
    field
        .into_iter()
        .flat_map(Address::iter)
        .map(|mailbox| Mailbox {
            name: mailbox.name().unwrap_or_default().to_owned(),
            address: mailbox.address().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn attachment(number: usize, part: &MessagePart<'_>) -> Attachment {
    let content_type = part.content_type().map_or_else(
        || "application/octet-stream".to_owned(),
        |kind| match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        },
    );
    let content_id = part.content_id().unwrap_or_default().to_owned();
    Attachment {
        part_id: number.to_string(),
        file_name: part.attachment_name().unwrap_or_default().to_owned(),
        content_type,
        inline: !content_id.is_empty(),
        content_id,
        size: part.contents().len(),
    }
}
