//! Delivery: how far an attempt at a relay got, how it ended, and the outcome of a claim.
//!
//! Rows keep words. One that a newer version wrote is kept and shown as it is ([`Stored::Newer`]); words of older
//! versions are read as today's.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::mail::{MailKind, MailState};

mod outcome;

pub use outcome::Outcome;

/// A value that rows keep as a word.
pub trait Word: Copy + PartialEq + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The word that is stored and shown.
    fn as_str(self) -> &'static str;

    /// The value of a word, also of one that older versions stored.
    #[must_use]
    fn of(word: &str) -> Option<Self> {
        (Self::ALL.iter().copied()).find(|value| value.as_str() == word)
    }
}

/// A stored word: one that this version knows, or one of a newer version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stored<T> {
    /// A known one.
    Known(T),
    /// A newer version's, as it is stored.
    Newer(String),
}

impl<T: Word> Stored<T> {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(value) => value.as_str(),
            Self::Newer(word) => word,
        }
    }

    /// The value, if this version knows it.
    #[must_use]
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Newer(_) => None,
        }
    }
}

impl<T: Word> From<T> for Stored<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T: Word> From<String> for Stored<T> {
    fn from(word: String) -> Self {
        T::of(&word).map_or(Self::Newer(word), Self::Known)
    }
}

impl<T: Word> From<&str> for Stored<T> {
    fn from(word: &str) -> Self {
        T::of(word).map_or_else(|| Self::Newer(word.to_owned()), Self::Known)
    }
}

impl<T: Word> PartialEq<T> for Stored<T> {
    fn eq(&self, value: &T) -> bool {
        self.known() == Some(*value)
    }
}

impl<T: Word> PartialEq<&str> for Stored<T> {
    /// Compares the word.
    fn eq(&self, word: &&str) -> bool {
        self.as_str() == *word
    }
}

impl<T: Word> fmt::Display for Stored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<T: Word> Serialize for Stored<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How far an attempt at a relay got, in the order of the SMTP dialogue (RFC 5321).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not recorded: the handler or its worker ended before the attempt did.
    Unknown,
    /// Finding the addresses of the relay's name.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// STARTTLS and the TLS handshake.
    Tls,
    /// The relay's greeting and its answer to EHLO.
    Greeting,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// The DATA command, up to the 354 and the permit to send.
    Data,
    /// The message, the end of data, and the answer to that.
    EndOfData,
}

impl Word for Stage {
    const ALL: &'static [Self] = &[
        Self::Unknown,
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Greeting,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::EndOfData,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::EndOfData => "end_of_data",
        }
    }

    fn of(word: &str) -> Option<Self> {
        let word = if word == "dot" { "end_of_data" } else { word };
        (Self::ALL.iter().copied()).find(|stage| stage.as_str() == word)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an attempt at a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The relay has the mail. The relay is healthy.
    Delivered,
    /// This recipient or message is refused for good. The relay is healthy.
    RecipientRefused,
    /// This recipient is refused for now: the next attempt is due on the schedule. The relay is healthy.
    RecipientLater,
    /// The relay is in trouble. The mail waits, and no attempt is counted.
    RelayTrouble,
    /// The relay refuses us, or is not what our settings demand: the operator must act. The mail waits, and no attempt is
    /// counted.
    RelayRefusesUs,
    /// The end of data was written and no clear answer came back: at most one more attempt.
    Uncertain,
    /// The relay took long over this recipient, and other mails needed the connection: another attempt is made later, on
    /// the slow lane. No attempt is counted.
    PutOff,
    /// We stopped before a byte of the message was sent.
    Stopped,
    /// The same; the mail waits.
    Waiting,
    /// The same; the mail has expired.
    Expired,
    /// The same; the mail is no longer needed.
    NotNeeded,
    /// The handler panicked before the message was sent.
    Panicked,
    /// The handler took too long before the message was sent.
    Overdue,
    /// The worker died before the message was sent.
    WorkerDied,
}

impl AttemptOutcome {
    /// The outcome of an attempt that was stopped, of a mail that came to this state.
    #[must_use]
    pub fn stopped(state: MailState) -> Self {
        match state {
            MailState::Expired => Self::Expired,
            MailState::NotNeeded => Self::NotNeeded,
            _ => Self::Waiting,
        }
    }

    /// Whether the attempt counts for the mail's schedule: the others are the relay's fault or ours.
    #[must_use]
    pub fn counts(self) -> bool {
        !matches!(
            self,
            Self::RelayTrouble | Self::RelayRefusesUs | Self::PutOff
        )
    }
}

impl Word for AttemptOutcome {
    const ALL: &'static [Self] = &[
        Self::Delivered,
        Self::RecipientRefused,
        Self::RecipientLater,
        Self::RelayTrouble,
        Self::RelayRefusesUs,
        Self::Uncertain,
        Self::PutOff,
        Self::Stopped,
        Self::Waiting,
        Self::Expired,
        Self::NotNeeded,
        Self::Panicked,
        Self::Overdue,
        Self::WorkerDied,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::RecipientRefused => "recipient_refused",
            Self::RecipientLater => "recipient_later",
            Self::RelayTrouble => "relay_trouble",
            Self::RelayRefusesUs => "relay_refuses_us",
            Self::Uncertain => "uncertain",
            Self::PutOff => "put_off",
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Expired => "expired",
            Self::NotNeeded => "not_needed",
            Self::Panicked => "panicked",
            Self::Overdue => "overdue",
            Self::WorkerDied => "worker_died",
        }
    }

    fn of(word: &str) -> Option<Self> {
        let word = if word == "cut_off" { "uncertain" } else { word };
        (Self::ALL.iter().copied()).find(|outcome| outcome.as_str() == word)
    }
}

impl Word for MailState {
    const ALL: &'static [Self] = &MailState::ALL;

    fn as_str(self) -> &'static str {
        MailState::as_str(self)
    }
}

impl Word for MailKind {
    const ALL: &'static [Self] = &MailKind::ALL;

    fn as_str(self) -> &'static str {
        MailKind::as_str(self)
    }
}

/// The record of one attempt at one relay. A delivery that went on to the next relay has several.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRecord {
    /// When the attempt began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The relay, as host and port. Empty: not recorded.
    pub relay: String,
    /// Whether an open connection was used again.
    pub reused: bool,
    /// The stage that was reached.
    pub stage: Stored<Stage>,
    /// The reply code, if there was a readable reply.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    /// The reply's text, or what went wrong: at most 500 characters, addresses masked.
    pub text: String,
    /// How it ended.
    pub outcome: Stored<AttemptOutcome>,
    /// When the mail was to be tried again, if at all. Written by the store, from the outcome of the claim.
    pub again_at: Option<Timestamp>,
}

impl AttemptRecord {
    /// The record of an attempt that ended without an answer that could be recorded.
    #[must_use]
    pub fn unanswered(stage: Stage, outcome: AttemptOutcome, text: String, now: Timestamp) -> Self {
        Self {
            started: now,
            duration_ms: 0,
            relay: String::new(),
            reused: false,
            stage: stage.into(),
            code: None,
            enhanced: None,
            text,
            outcome: outcome.into(),
            again_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_read_back<T: Word + fmt::Debug>() {
        for value in T::ALL {
            assert_eq!(T::of(value.as_str()), Some(*value));
        }
    }

    #[test]
    fn every_word_is_read_back() {
        is_read_back::<Stage>();
        is_read_back::<AttemptOutcome>();
        is_read_back::<MailState>();
        is_read_back::<MailKind>();
    }

    #[test]
    fn words_of_older_versions_are_read_as_todays_and_newer_ones_are_kept() {
        assert_eq!(Stored::from("dot"), Stored::Known(Stage::EndOfData));
        assert_eq!(
            Stored::from("cut_off"),
            Stored::Known(AttemptOutcome::Uncertain)
        );
        let newer: Stored<Stage> = "quit".into();
        assert_eq!((newer.known(), newer.as_str()), (None, "quit"));
    }

    #[test]
    fn stages_are_in_the_order_of_the_dialogue() {
        assert!(Stage::ALL.is_sorted());
        assert!(Stage::Unknown < Stage::Resolve && Stage::Data < Stage::EndOfData);
    }
}
