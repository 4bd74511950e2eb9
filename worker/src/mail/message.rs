//! From a mail's content to the bytes that go over the wire.
//!
//! The same [`Outgoing`] always gives the same bytes, so a repeated attempt is the same message and
//! not just a similar one.

use std::{fmt, time::SystemTime};

use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use super::{Content, templates::render};
use crate::smtp::Envelope;

/// A mail, ready to be built.
#[derive(Clone)]
pub struct Outgoing {
    /// Who it is from, such as `Smart Notes <no-reply@example.com>`; also where bounces go.
    pub from: Mailbox,
    /// Who it is for. Its header is the bare address, without a name.
    pub to: Address,
    /// The Message-ID with its angle brackets, `<ulid@domain>`: fixed when the mail was queued
    /// and the same for every attempt (RFC 5322 §3.6.4).
    pub message_id: String,
    /// The Date header. Fixed like the Message-ID if repeated attempts are to be equal.
    pub date: SystemTime,
    /// What it says.
    pub content: Content,
}

impl fmt::Debug for Outgoing {
    /// Without the recipient and the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("kind", &self.content.kind())
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}

/// Why a mail could not be built. Repeating the attempt changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A template could not be filled.
    #[error("a template could not be filled")]
    Template(#[from] minijinja::Error),
    /// The sender's name holds a control character, or its address one outside ASCII.
    #[error("the sender cannot stand in a header")]
    From,
    /// The recipient's address holds a character outside ASCII (which would need SMTPUTF8).
    #[error("the recipient's address is not ASCII")]
    To,
    /// The Message-ID is not `<left@right>` in printable ASCII.
    #[error("the Message-ID is not of the form <left@right>")]
    MessageId,
    /// lettre could not put the message together.
    #[error("the message could not be put together")]
    Message(#[from] lettre::error::Error),
    /// The finished message is not 7-bit.
    #[error("the message is not 7-bit")]
    NotSevenBit,
}

/// Renders the mail and builds the message: headers, then text and HTML as alternatives.
///
/// The message is 7-bit with CRLF line ends, so it needs no 8BITMIME of any relay.
pub fn build(mail: &Outgoing) -> Result<(Envelope, Vec<u8>), BuildError> {
    check(mail)?;
    let kind = mail.content.kind();
    let subject = render(kind, "subject.txt", &mail.content)?;
    let text = render(kind, "body.txt", &mail.content)?;
    let html = render(kind, "body.html", &mail.content)?;

    let message = Message::builder()
        .from(mail.from.clone())
        .to(Mailbox::new(None, mail.to.clone()))
        .subject(subject.split_whitespace().collect::<Vec<_>>().join(" "))
        .date(mail.date)
        .message_id(Some(mail.message_id.clone()))
        // No out-of-office answers: RFC 3834 §5, and Exchange's own header.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        .multipart(
            MultiPart::alternative()
                .boundary(boundary(&mail.message_id))
                .singlepart(part(ContentType::TEXT_PLAIN, &text)?)
                .singlepart(part(ContentType::TEXT_HTML, &html)?),
        )?
        .formatted();
    if !message.is_ascii() {
        return Err(BuildError::NotSevenBit);
    }
    let envelope = Envelope {
        from: mail.from.email.clone(),
        to: mail.to.clone(),
        secrets: mail.content.secrets(),
    };
    Ok((envelope, message))
}

/// What lettre would panic on, or pass through into a header.
fn check(mail: &Outgoing) -> Result<(), BuildError> {
    let ascii = |address: &Address| {
        AsRef::<str>::as_ref(address)
            .bytes()
            .all(|b| b.is_ascii_graphic())
    };
    let name = mail.from.name.as_deref().unwrap_or_default();
    if name.contains(char::is_control) || !ascii(&mail.from.email) {
        return Err(BuildError::From);
    }
    if !ascii(&mail.to) {
        return Err(BuildError::To);
    }
    let id = mail
        .message_id
        .strip_prefix('<')
        .and_then(|id| id.strip_suffix('>'));
    match id.and_then(|id| id.split_once('@')) {
        Some((left, right))
            if !left.is_empty()
                && !right.is_empty()
                && mail.message_id.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(())
        }
        _ => Err(BuildError::MessageId),
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Made of the Message-ID (at most 70 characters, RFC 2046 §5.1.1) instead of drawn at random.
fn boundary(message_id: &str) -> String {
    let id = message_id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(60);
    "part-".chars().chain(id).collect()
}

/// Quoted-printable where the text needs an encoding, never base64: the line with the code
/// stays readable in the raw message, where scanners look for it.
fn part(kind: ContentType, text: &str) -> Result<SinglePart, BuildError> {
    // A bare CR would pass through (RFC 5322 §2.3 forbids it); lettre makes CRLF of LF.
    let text = text.replace('\r', "");
    let encoding = if text.is_ascii() && text.lines().all(|line| line.len() <= 76) {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::QuotedPrintable
    };
    let body = Body::new_with_encoding(text, encoding).map_err(|_| BuildError::NotSevenBit)?;
    Ok(SinglePart::builder().header(kind).body(body))
}
