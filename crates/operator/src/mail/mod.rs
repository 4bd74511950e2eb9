//! What became of the mails to an address, in sentences.

mod address;
mod lookup;
mod timeline;
mod why;

pub use why::MailReport;
