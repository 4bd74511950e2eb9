//! What an operator sees of a running system, for every program that shows it: facts read from the database, timelines
//! and sentences made of them, and the same as JSON.
//!
//! Below the command line and the console, which keep what is theirs: arguments, tables, pages and exit codes. Both say
//! the same words because neither has words of its own for these.

pub mod doctor;
mod error;
pub mod jobs;
pub mod mail;
pub mod users;

pub use error::{Error, Refusal};
