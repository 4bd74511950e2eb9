//! One caught mail: its envelope, its bytes and its parsed content.
//!
//! Separate from the inbox because tests hold single mails. The bytes are parsed on first access,
//! never while the mail arrives.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use mail_parser::MessageParser;

use crate::parsed::Parsed;

/// The text right before a one-time code in a mail.
const CODE_MARK: &str = "Your OTP code is: ";

/// A mail as it was accepted.
pub struct Mail {
    /// Unique, and sortable by the time of arrival (a ULID).
    pub id: String,
    /// When the end of data was received.
    pub received: Timestamp,
    /// The address given in MAIL FROM; empty for the null sender.
    pub envelope_from: String,
    /// The accepted addresses given in RCPT TO, as written and in that order.
    pub envelope_to: Vec<String>,
    /// The mail as sent, with dot-stuffing undone.
    pub raw: Vec<u8>,
    parsed: OnceLock<Parsed>,
    read: AtomicBool,
}

impl Mail {
    pub(crate) fn new(id: String, from: String, to: Vec<String>, raw: Vec<u8>) -> Self {
        Self {
            id,
            received: Timestamp::now(),
            envelope_from: from,
            envelope_to: to,
            raw,
            parsed: OnceLock::new(),
            read: AtomicBool::new(false),
        }
    }

    /// The decoded Subject.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.parsed().subject.as_deref()
    }

    /// The plain text, decoded; made from the HTML if the mail has no text part.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.parsed().text.as_deref()
    }

    /// The HTML, decoded; `None` if the mail has no HTML part.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        self.parsed().html.as_deref()
    }

    /// The first header field of that name (in any case): unfolded and trimmed,
    /// with encoded words left as they are.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let message = MessageParser::default().parse_headers(&self.raw[..])?;
        let value = message.header_raw(name.to_owned())?;
        Some(value.replace("\r\n", "").trim().to_owned())
    }

    /// The Message-ID without its angle brackets.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.parsed().message_id.as_deref()
    }

    /// The digits and letters after `Your OTP code is: `, if the mail has such a line.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let (_, rest) = self.text()?.split_once(CODE_MARK)?;
        let of_codes = |sign: &char| sign.is_ascii_alphanumeric();
        let code: String = rest.chars().take_while(of_codes).collect();
        (!code.is_empty()).then_some(code)
    }

    pub(crate) fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| Parsed::read(&self.raw))
    }

    pub(crate) fn is_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_read(&self) {
        self.read.store(true, Ordering::Relaxed);
    }
}

/// Shows the id without addresses or content, because mails carry codes.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("id", &self.id)
            .field("received", &self.received)
            .field("recipients", &self.envelope_to.len())
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}
