//! What became of the mails to an address, in sentences.

mod address;
mod facts;
mod story;
mod why;
mod words;

pub use why::MailReport;
