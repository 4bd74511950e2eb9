//! The outcome table, row by row, each over the wire: at which stage the relay says what, and what that
//! means for the mail and for the relay.

mod scripted;
mod table;
