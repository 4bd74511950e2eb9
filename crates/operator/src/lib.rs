//! What an operator sees of a running system: facts read from the database, timelines and sentences about them, and the
//! same facts as JSON.
//!
//! The command line and a console both show these, in the same words. Each keeps what is its own: arguments, tables, pages
//! and exit codes.

pub mod doctor;
mod error;
pub mod jobs;
pub mod mail;
mod phrases;
pub mod users;

pub use error::{Error, Refusal};
pub use phrases::{to_millis, to_seconds};
