//! The rules of the ports, each a function that is given a store on an empty database.
//!
//! A rule reads through the ports alone, so it needs no other way into the database.

#![expect(missing_docs, reason = "the name of a rule is its sentence")]

pub mod changing;
pub mod feeding;
pub mod listing;
pub mod logging_in;
pub mod noting;
pub mod numbering;
pub mod operating;
pub mod ordering;
pub mod paying;
pub mod recording;
pub mod registering;
pub mod resending;
pub mod statements;
pub mod units;
pub mod verifying;
